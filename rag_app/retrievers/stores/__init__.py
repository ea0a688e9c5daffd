"""Dense stores beside PostgreSQL, which follow it by the tenants' generations."""

from rag_app.retrievers.stores.memory import MemoryStore

__all__ = ["MemoryStore"]
