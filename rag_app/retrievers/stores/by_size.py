"""Where a tenant's vectors are searched, by how many it has."""

from __future__ import annotations

from collections.abc import Sequence

from rag_app.retrievers.stores.memory import MemoryStore
from rag_app.schema import RetrievalQuery
from rag_app.storage import TenantPGVectorStore


class BySizeStore:
    """Compares the vectors of small tenants in this process, and has PostgreSQL search those of large ones.

    A tenant whose size can not be told now, as while PostgreSQL is away, is small if its vectors are in memory.

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
        chunks = query.stored_chunks
        is_small = self._memory.holds(query.tenant) if chunks is None else chunks <= self._most_chunks
        store = self._memory if is_small else self._postgres
        return await store.anearest(query, embedding, top_k)
