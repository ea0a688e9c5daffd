"""The sparse leg: BM25 over the tokens that ingestion stored, one index and vocabulary for each tenant."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import bm25s
import numpy as np
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.retrievers.bm25 import BM25Retriever
from numpy.typing import NDArray

from rag_app import metrics
from rag_app.background import BackgroundLoop
from rag_app.persian import Lexicons, Vocabulary
from rag_app.persian.lexicon import Lexicon
from rag_app.schema import Reading, RetrievalQuery
from rag_app.storage import ChunkReader
from rag_app.storage.chunks import ChunkTokens

logging.getLogger("bm25s").setLevel(logging.NOTSET)  # importing it sets DEBUG, which is the application's to choose

_BYTES_OF_A_WORD = 900  # two dict entries, some 25 n-grams, and its Finglish skeleton and letters
_BYTES_OF_A_CHUNK = 150  # its id and its source


class TenantBM25Retriever(BM25Retriever):
    """LlamaIndex's BM25Retriever over one tenant's stored tokens, for questions as people write them.

    A word of the question counts in a chunk by its weight, the BM25 saturation of the best word that it may stand for,
    and how similar that is (see `Vocabulary`). It counts once more by the best chunk of the same parent, because the
    parent is what will be read. Chunks of other sources and chunks that share no word with the question are not
    returned. The nodes carry their ids alone.

    Args:
        chunks: at least one chunk's tokens, those of a parent side by side.
        lexicon: the tenant's synonyms and courtesies.
    """

    def __init__(self, chunks: Sequence[ChunkTokens], lexicon: Lexicon | None = None, *, similarity_top_k: int) -> None:
        index = bm25s.BM25()
        index.index([chunk.tokens.split() for chunk in chunks], show_progress=False)
        super().__init__(existing_bm25=index, similarity_top_k=min(similarity_top_k, len(chunks)), skip_stemming=True)
        self._node_ids = [chunk.node_id for chunk in chunks]
        self._sources = np.array([chunk.source for chunk in chunks])
        self._doc_ids = np.array([chunk.doc_id for chunk in chunks])
        parents = np.array([chunk.parent_id for chunk in chunks])
        self._parent_starts = np.flatnonzero(np.r_[True, parents[1:] != parents[:-1]])
        self._parent_sizes = np.diff(np.r_[self._parent_starts, len(chunks)])
        self._places: dict[str, int] = index.vocab_dict
        self._starts = index.scores["indptr"]
        self._chunks = index.scores["indices"]
        chunks_with = np.diff(self._starts)
        # Lucene's formula, which bm25s multiplied in; the words of a question bring their own weights.
        idf = np.log(1 + (len(chunks) - chunks_with + 0.5) / (chunks_with + 0.5))
        self._saturation = index.scores["data"] / np.repeat(idf, chunks_with)
        words = {word: int(chunks_with[place]) for word, place in self._places.items() if word}
        self.vocabulary = Vocabulary(words, len(chunks), lexicon)
        arrays = sum(array.nbytes for array in index.scores.values() if isinstance(array, np.ndarray))
        self.nbytes = int(
            arrays
            + self._saturation.nbytes
            + self._sources.nbytes
            + len(words) * _BYTES_OF_A_WORD
            + len(self._node_ids) * _BYTES_OF_A_CHUNK
        )

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = RetrievalQuery.of(query_bundle)
        reading = query.reading or self.vocabulary.read(query.query_str)
        own, of_parent = np.zeros(len(self._node_ids)), np.zeros(len(self._parent_starts))
        for word in {word.typed: word for word in reading.words}.values():
            held = word.weight * self._held(word.matches)
            own += held
            of_parent += np.maximum.reduceat(held, self._parent_starts)
        scores = np.where(own > 0, own + np.repeat(of_parent, self._parent_sizes), 0.0)
        if query.sources is not None:
            scores[~np.isin(self._sources, query.sources)] = 0.0
        if query.doc_ids is not None:
            scores[~np.isin(self._doc_ids, list(query.doc_ids))] = 0.0
        best = np.argsort(-scores, kind="stable")[: query.options.sparse_top_k or self.similarity_top_k]
        return [
            NodeWithScore(node=TextNode(id_=self._node_ids[place]), score=float(scores[place]))
            for place in best
            if scores[place] > 0
        ]

    def _held(self, matches: Mapping[str, float]) -> NDArray[np.float64]:
        """Return for each chunk how much of a word it holds, 0 to 1 and more for a word that it repeats."""
        held = np.zeros(len(self._node_ids))
        for match, similarity in matches.items():
            if (place := self._places.get(match)) is not None:
                entries = slice(self._starts[place], self._starts[place + 1])
                chunks = self._chunks[entries]
                held[chunks] = np.maximum(held[chunks], similarity * self._saturation[entries])
        return held


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


class BM25Leg(BaseRetriever):
    """Retrieves the chunks that hold the most telling words of the query, however they are written; scores above 0."""

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
