"""Documents on their way in, and what a tenant has stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.schema import TextNode


@dataclass(frozen=True)
class ParsedDocument:
    """A document ready to be written: its parents, and the embedded children that point to them."""

    doc_id: str
    source: str
    title: str
    content_hash: str
    metadata: dict[str, Any]
    parents: list[TextNode]
    children: list[TextNode]
    tokens: list[list[str]]


class FoundInParent(TextNode):
    """A parent's text under the id of its best child, which lies from `start_char_idx` to `end_char_idx` of it.

    Attributes:
        found_start_idx: where the first of all its children begins that were found among the best.
        found_end_idx: where the last of them ends.
    """

    found_start_idx: int
    found_end_idx: int


@dataclass(frozen=True)
class Skipped:
    """An input that was not ingested, and why."""

    origin: str
    reason: str


@dataclass(frozen=True)
class IngestReport:
    """What an ingestion did; counts are of documents, `chunks` are those written."""

    added: int
    updated: int
    unchanged: int
    deleted: int
    chunks: int
    skipped: tuple[Skipped, ...]
    seconds: float

    @property
    def stored(self) -> int:
        """How many of the documents are stored now, whether they were before or not."""
        return self.added + self.updated + self.unchanged


@dataclass(frozen=True)
class TenantSnapshot:
    """What a tenant has stored.

    Attributes:
        generation: moves with each write; 0 if nothing was ever stored.
        documents: how many documents each source has.
        chunks: how many chunks each source has.
        ef_search: how its HNSW index is to be searched; None if there is none to be used.
        embedding: the fingerprint of the embedding that its vectors are of; None if that is not known.
    """

    tenant: str
    generation: int
    documents: Mapping[str, int]
    chunks: Mapping[str, int]
    ef_search: int | None = None
    embedding: str | None = None

    def chunks_in(self, sources: Sequence[str] | None) -> int:
        """Return how many chunks these sources have; None for all."""
        return sum(count for source, count in self.chunks.items() if sources is None or source in sources)
