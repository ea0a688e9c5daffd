"""Embeddings that need no model file."""

from rag_app.embeddings.hashing import HashingEmbedding

__all__ = ["HashingEmbedding"]
