"""The sparse leg: BM25 over the tokens that ingestion stored, one index for each tenant."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

import bm25s
import numpy as np
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.retrievers.bm25 import BM25Retriever

from rag_app.background import BackgroundLoop
from rag_app.persian import PersianAnalyzer
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader
from rag_app.storage.chunks import ChunkTokens

logging.getLogger("bm25s").setLevel(logging.NOTSET)  # importing it sets DEBUG, which is the application's to choose

_BYTES_OF_A_TOKEN = 120  # a vocabulary entry: the string, its number and its place in the dict
_BYTES_OF_A_CHUNK = 150  # its id and its source


class TenantBM25Retriever(BM25Retriever):
    """LlamaIndex's BM25Retriever over one tenant's stored tokens.

    The query is analysed as the chunks were; chunks of other sources and chunks that share no word with the query are
    not returned. The nodes carry their ids alone.

    Args:
        chunks: at least one chunk's tokens.
        analyzer: the analyser that made them.
    """

    def __init__(self, chunks: Sequence[ChunkTokens], analyzer: PersianAnalyzer, *, similarity_top_k: int) -> None:
        index = bm25s.BM25()
        index.index([chunk.tokens.split() for chunk in chunks], show_progress=False)
        super().__init__(existing_bm25=index, similarity_top_k=min(similarity_top_k, len(chunks)), skip_stemming=True)
        self._analyzer = analyzer
        self._node_ids = [chunk.node_id for chunk in chunks]
        self._sources = np.array([chunk.source for chunk in chunks])
        arrays = sum(array.nbytes for array in index.scores.values() if isinstance(array, np.ndarray))
        self.nbytes = int(
            arrays
            + self._sources.nbytes
            + len(index.vocab_dict) * _BYTES_OF_A_TOKEN
            + len(self._node_ids) * _BYTES_OF_A_CHUNK
        )

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = RetrievalQuery.of(query_bundle)
        places, scores = self.bm25.retrieve(
            [self._analyzer.tokens(query.query_str)],
            k=self.similarity_top_k,
            weight_mask=None if query.sources is None else np.isin(self._sources, query.sources).astype(np.float32),
            show_progress=False,
        )
        return [
            NodeWithScore(node=TextNode(id_=self._node_ids[place]), score=float(score))
            for place, score in zip(places[0], scores[0], strict=True)
            if score > 0
        ]


class BM25Indexes:
    """The tenants' BM25 indexes, rebuilt when a tenant's generation moves, least recently used dropped first.

    Args:
        reader: where the tokens are.
        analyzer: the analyser that made them.
        similarity_top_k: the most chunks that a query gets.
        max_bytes: how much memory the indexes may hold together.
    """

    def __init__(
        self,
        reader: ChunkReader,
        analyzer: PersianAnalyzer,
        *,
        similarity_top_k: int = 15,
        max_bytes: int = 200_000_000,
    ) -> None:
        self._reader = reader
        self._analyzer = analyzer
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
        while (known := self._known(tenant, generation)) is None:
            if tenant not in self._building:
                self._building[tenant] = asyncio.create_task(self._build(tenant, generation))
            await asyncio.shield(self._building[tenant])
        return known[1]

    def _known(self, tenant: str, generation: int) -> tuple[int, TenantBM25Retriever | None] | None:
        known = self._indexes.get(tenant)
        if known is None or known[0] < generation:
            return None
        self._indexes.move_to_end(tenant)
        return known

    async def _build(self, tenant: str, generation: int) -> None:
        try:
            chunks = await self._reader.atokens(tenant)
            self._indexes[tenant] = (generation, await asyncio.to_thread(self._index, chunks) if chunks else None)
        finally:
            del self._building[tenant]
        while self.nbytes > self._max_bytes and len(self._indexes) > 1:
            self._indexes.popitem(last=False)

    def _index(self, chunks: Sequence[ChunkTokens]) -> TenantBM25Retriever:
        return TenantBM25Retriever(chunks, self._analyzer, similarity_top_k=self._similarity_top_k)


class BM25Leg(BaseRetriever):
    """Retrieves the chunks that share the most telling words with the query; scores are BM25's, above 0."""

    def __init__(self, indexes: BM25Indexes, reader: ChunkReader, loop: BackgroundLoop) -> None:
        super().__init__()
        self._indexes = indexes
        self._reader = reader
        self._loop = loop

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._loop.call(self._aretrieve, query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = RetrievalQuery.of(query_bundle)
        index = await self._indexes.aget(query.tenant, query.generation)
        hits = await asyncio.to_thread(index.retrieve, query) if index is not None else []
        nodes = await self._reader.anodes(query.tenant, [hit.node.node_id for hit in hits])
        return [
            NodeWithScore(node=nodes[hit.node.node_id], score=hit.score) for hit in hits if hit.node.node_id in nodes
        ]
