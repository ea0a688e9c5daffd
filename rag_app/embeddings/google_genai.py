"""Embedding by Gemini."""

from __future__ import annotations

import os

from google.genai import types
from llama_index.embeddings.google_genai import GoogleGenAIEmbedding

from rag_app.embeddings.options import Embedding, EmbeddingOptions
from rag_app.errors import ConfigurationError

_DIM = 768


def open_with(options: EmbeddingOptions) -> Embedding:
    """Return the embedding; Gemini cuts its vectors to `dim`, 768 if that is None.

    Raises:
        ConfigurationError: there is no key.
    """
    key = options.api_key or os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY")
    if not key:
        raise ConfigurationError("embedding kind 'google_genai' needs a key: set embedding.api_key or GOOGLE_API_KEY")
    dim = options.dim or _DIM
    model = GoogleGenAIEmbedding(
        model_name=options.model,
        api_key=key,
        embedding_config=types.EmbedContentConfig(output_dimensionality=dim),
        http_options=types.HttpOptions(base_url=options.api_base, timeout=int(options.timeout_s * 1000)),
        embed_batch_size=options.batch_size,
        retries=2,
        retry_max_seconds=2,
    )

    async def aclose() -> None:
        model._client.close()
        await model._client.aio.aclose()

    return Embedding(model, dim, f"google_genai-{options.model}-{dim}", aclose)
