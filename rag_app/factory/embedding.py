"""The embedding that the settings name."""

from __future__ import annotations

from llama_index.core.base.embeddings.base import BaseEmbedding

from rag_app.config import Settings
from rag_app.embeddings import Embedding, EmbeddingOptions, open_embedding
from rag_app.errors import ConfigurationError
from rag_app.kinds import is_shipped, open_own


def opened_embedding(settings: Settings) -> Embedding:
    """Return the embedding; what it needs to load is loaded now, and not within the first request's deadline.

    Raises:
        ConfigurationError: its packages, its model or a setting that it needs is missing.
    """
    options = settings.embedding
    if is_shipped("embedding", options.kind):
        key = options.api_key.get_secret_value() if options.api_key is not None else None
        return open_embedding(
            options.kind,
            EmbeddingOptions(
                options.model,
                options.dim,
                key,
                options.api_base,
                options.query_prefix,
                options.text_prefix,
                options.batch_size,
                options.timeout_s,
            ),
        )
    model: BaseEmbedding = open_own("embedding", options.kind, options.options, BaseEmbedding)
    dim = len(model.get_query_embedding("سلام"))
    if options.dim not in (None, dim):
        raise ConfigurationError(f"embedding.dim is {options.dim}, but vectors of {options.kind!r} have {dim} numbers")
    fingerprint = getattr(model, "fingerprint", f"{options.kind}-{model.model_name}-{dim}")
    return Embedding(model, dim, str(fingerprint))
