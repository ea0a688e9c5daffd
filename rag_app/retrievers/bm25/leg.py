"""The leg that searches the index of the asking tenant."""

from __future__ import annotations

import asyncio

from llama_index.core.schema import NodeWithScore

from rag_app.background import BackgroundLoop
from rag_app.retrievers.bm25.cache import BM25Indexes, beside_others
from rag_app.retrievers.bm25.index import TenantBM25Retriever
from rag_app.retrievers.searching import TenantRetriever
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader


class BM25Leg(TenantRetriever):
    """Retrieves the chunks that hold the most telling words of the query, however they are written; scores above 0."""

    def __init__(self, indexes: BM25Indexes, reader: ChunkReader, loop: BackgroundLoop) -> None:
        super().__init__()
        self._loop = loop
        self._indexes = indexes
        self._reader = reader

    async def asearch(self, query: RetrievalQuery) -> list[NodeWithScore]:
        """Return the chunks with their scores, best first."""
        index = await self._indexes.aget(query.tenant, query.generation)
        await asyncio.sleep(0)  # so that the dense leg's query is on its way meanwhile
        found = await beside_others(index, TenantBM25Retriever.search, query) if index is not None else {}
        return await self._reader.afound(query, found)
