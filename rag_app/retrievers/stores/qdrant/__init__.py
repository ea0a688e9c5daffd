"""Vectors in Qdrant, for a tenant that outgrows one PostgreSQL; needs the extra `qdrant`."""

from rag_app.retrievers.stores.qdrant.client import QdrantOptions
from rag_app.retrievers.stores.qdrant.store import QdrantStore

__all__ = ["QdrantOptions", "QdrantStore"]
