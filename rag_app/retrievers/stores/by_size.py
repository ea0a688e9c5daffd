"""Where a tenant's vectors are searched, by how many it has."""

from __future__ import annotations

from collections.abc import Sequence

from rag_app import metrics
from rag_app.retrievers.stores.memory import MemoryStore
from rag_app.schema import RetrievalQuery
from rag_app.storage import TenantPGVectorStore


class BySizeStore:
    """Compares the vectors of small tenants in this process, and has PostgreSQL search those of large ones.

    PostgreSQL searches those of small ones too until they are in memory as new as asked for, so that nobody waits for
    that. While PostgreSQL is away, and no generation can be told, what is in memory serves.

    Args:
        memory: for the small.
        postgres: for the large.
        most_chunks: of a small tenant.
    """

    def __init__(self, memory: MemoryStore, postgres: TenantPGVectorStore, most_chunks: int) -> None:
        self._memory = memory
        self._postgres = postgres
        self._most_chunks = most_chunks

    async def anearest(self, query: RetrievalQuery, embedding: Sequence[float], top_k: int) -> dict[str, float]:
        """Return the cosine similarities of the chunks nearest to a vector by id, of those that the query may find.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        is_small = query.stored_chunks is None or query.stored_chunks <= self._most_chunks
        if is_small and self._memory.is_as_new(query):
            return await self._memory.anearest(query, embedding, top_k)
        if is_small and query.stored_chunks is not None:
            metrics.cache_used("memory_store", misses=1)
            self._memory.begin_refresh(query.tenant)
        return await self._postgres.anearest(query, embedding, top_k)
