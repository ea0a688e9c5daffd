"""What every kind of embedding is opened with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from llama_index.core.base.embeddings.base import BaseEmbedding


@dataclass(frozen=True)
class EmbeddingOptions:
    """Which model, and how texts are given to it.

    Attributes:
        model: its name at the service or the hub, or a folder.
        dim: the length of the vectors; None where the kind knows it.
        api_key: the service's key.
        api_base: the URL of the service, if it is not the kind's own.
        query_prefix: what the model wants before a question.
        text_prefix: what it wants before a text.
        batch_size: how many texts are embedded at once.
        timeout_s: the most seconds of one request to a service.
    """

    model: str = "BAAI/bge-m3"
    dim: int | None = None
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    query_prefix: str = ""
    text_prefix: str = ""
    batch_size: int = 64
    timeout_s: float = 10.0


@dataclass(frozen=True)
class Embedding:
    """An embedding that is open.

    Attributes:
        model: embeds questions and texts.
        dim: the length of the vectors.
        fingerprint: names the space that they lie in; vectors of two spaces can not be compared.
        aclose: closes its connections, on the loop that it was asked on.
    """

    model: BaseEmbedding
    dim: int
    fingerprint: str
    aclose: Callable[[], Awaitable[None]] | None = None
