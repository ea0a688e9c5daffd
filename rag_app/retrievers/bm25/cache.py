"""The tenants' BM25 indexes in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from rag_app import metrics
from rag_app.persian import Lexicons
from rag_app.persian.lexicon import Lexicon
from rag_app.retrievers.bm25.index import TenantBM25Retriever
from rag_app.schema import Reading, RetrievalQuery
from rag_app.storage import ChunkReader
from rag_app.storage.chunks import ChunkTokens


class BM25Indexes:
    """The tenants' BM25 indexes, rebuilt when a tenant's generation moves, least recently used dropped first.

    Args:
        reader: where the tokens are.
        lexicons: the tenants' synonyms and courtesies.
        similarity_top_k: the most chunks that a query gets.
        max_bytes: how much memory the indexes may hold together.
    """

    def __init__(
        self,
        reader: ChunkReader,
        lexicons: Lexicons,
        *,
        similarity_top_k: int = 15,
        max_bytes: int = 200_000_000,
    ) -> None:
        self._reader = reader
        self._lexicons = lexicons
        self._similarity_top_k = similarity_top_k
        self._max_bytes = max_bytes
        self._indexes: OrderedDict[str, tuple[int, TenantBM25Retriever | None]] = OrderedDict()
        self._building: dict[str, asyncio.Task[None]] = {}

    @property
    def nbytes(self) -> int:
        """The memory that the indexes hold, in bytes, about."""
        return sum(index.nbytes for _, index in self._indexes.values() if index is not None)

    async def aget(self, tenant: str, generation: int) -> TenantBM25Retriever | None:
        """Return the tenant's index, at least as new as `generation`; None for a tenant without chunks.

        Callers share one build, and it goes on when a caller runs out of time, so that the next finds it done.
        """
        metrics.cache_used("bm25_index", hit=self._known(tenant, generation) is not None)
        while (known := self._known(tenant, generation)) is None:
            if tenant not in self._building:
                self._building[tenant] = asyncio.create_task(self._build(tenant, generation))
            await asyncio.shield(self._building[tenant])
        return known[1]

    async def aread(self, query: RetrievalQuery) -> Reading | None:
        """Return what the question means among the words of the tenant's texts; None for a tenant without chunks."""
        index = await self.aget(query.tenant, query.generation)
        return await asyncio.to_thread(index.vocabulary.read, query.query_str) if index is not None else None

    def _known(self, tenant: str, generation: int) -> tuple[int, TenantBM25Retriever | None] | None:
        known = self._indexes.get(tenant)
        if known is None or known[0] < generation:
            return None
        self._indexes.move_to_end(tenant)
        return known

    async def _build(self, tenant: str, generation: int) -> None:
        try:
            generation, chunks = await self._reader.atokens(tenant)
            self._indexes[tenant] = (
                generation,
                await asyncio.to_thread(self._index, chunks, self._lexicons.of(tenant)) if chunks else None,
            )
        finally:
            del self._building[tenant]
        while self.nbytes > self._max_bytes and len(self._indexes) > 1:
            self._indexes.popitem(last=False)

    def _index(self, chunks: Sequence[ChunkTokens], lexicon: Lexicon) -> TenantBM25Retriever:
        return TenantBM25Retriever(chunks, lexicon, similarity_top_k=self._similarity_top_k)
