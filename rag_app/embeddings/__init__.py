"""Embeddings: one that needs no model file, models of one's own, and services."""

from rag_app.embeddings.hashing import HashingEmbedding
from rag_app.embeddings.kinds import open_embedding
from rag_app.embeddings.options import Embedding, EmbeddingOptions

__all__ = ["Embedding", "EmbeddingOptions", "HashingEmbedding", "open_embedding"]
