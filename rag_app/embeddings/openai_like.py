"""Embedding by any service with OpenAI's API."""

from __future__ import annotations

from llama_index.embeddings.openai_like import OpenAILikeEmbedding

from rag_app.embeddings.options import Embedding, EmbeddingOptions
from rag_app.errors import ConfigurationError


def open_with(options: EmbeddingOptions) -> Embedding:
    """Return the embedding.

    Raises:
        ConfigurationError: its URL or the length of its vectors is missing.
    """
    if options.api_base is None:
        raise ConfigurationError("embedding kind 'openai_like' needs the URL of the service: set embedding.api_base")
    if options.dim is None:
        raise ConfigurationError(
            "embedding kind 'openai_like' needs the length of the model's vectors: set embedding.dim"
        )
    model = OpenAILikeEmbedding(
        model_name=options.model,
        api_key=options.api_key or "none",
        api_base=options.api_base,
        embed_batch_size=options.batch_size,
        max_retries=2,
        timeout=options.timeout_s,
    )

    async def aclose() -> None:
        model._get_client().close()
        await model._get_aclient().close()

    return Embedding(model, options.dim, f"openai_like-{options.model}-{options.dim}", aclose)
