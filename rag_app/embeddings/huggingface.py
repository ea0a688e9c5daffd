"""Embedding by a model of one's own, as sentence-transformers runs it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from pydantic import PrivateAttr

from rag_app.embeddings.options import Embedding, EmbeddingOptions
from rag_app.errors import ConfigurationError


def open_with(options: EmbeddingOptions) -> Embedding:
    """Load the model; none of its own code is run, and pickled weights are read as numbers alone.

    Raises:
        ConfigurationError: it can not be loaded, needs code of its own, or its vectors have another length than `dim`.
    """
    try:
        model = LocalEmbedding(
            model_name=options.model,
            query_instruction=options.query_prefix,
            text_instruction=options.text_prefix,
            embed_batch_size=options.batch_size,
            trust_remote_code=False,
        )
        dim = len(model.get_query_embedding("سلام"))
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise ConfigurationError(
                f"the embedding {options.model!r} needs code of its own to be run, which is never done: take another"
            ) from error
        if isinstance(error, UnpicklingError):
            raise ConfigurationError(
                f"the weights of the embedding {options.model!r} are pickled and hold more than numbers, and such are "
                "never loaded: take weights in safetensors"
            ) from error
        raise ConfigurationError(
            f"the embedding {options.model!r} can not be loaded ({type(error).__name__}): name the folder of a model "
            "for sentence-transformers as embedding.model, or let the hub be reached once (HF_ENDPOINT, HTTPS_PROXY)"
        ) from error
    if options.dim not in (None, dim):
        raise ConfigurationError(f"embedding.dim is {options.dim}, but vectors of {options.model!r} have {dim} numbers")
    name = Path(options.model).name if Path(options.model).is_dir() else options.model
    prefixes = hashlib.sha256(f"{options.query_prefix}\n{options.text_prefix}".encode()).hexdigest()[:8]
    return Embedding(model, dim, f"huggingface-{name}-{dim}-{prefixes}")


class LocalEmbedding(HuggingFaceEmbedding):
    """HuggingFaceEmbedding that threads may share and that leaves the event loop free; tokenizers allow neither."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def _embed(self, *arguments: Any, **options: Any) -> list[list[float]]:
        with self._lock:
            return super()._embed(*arguments, **options)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)
