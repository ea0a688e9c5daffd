"""Dense stores beside PostgreSQL, which follow it by the tenants' generations."""

from rag_app.retrievers.stores.by_size import BySizeStore
from rag_app.retrievers.stores.memory import MemoryStore

__all__ = ["BySizeStore", "MemoryStore"]
