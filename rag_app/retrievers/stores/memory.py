"""The tenants' vectors in this process: every search compares all of a tenant's, and needs no index."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_app import metrics
from rag_app.logs import get_logger
from rag_app.retrievers.labels import Labels
from rag_app.retrievers.stores.refreshes import Refreshes
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkVectors, VectorReader

logger = get_logger(__name__)

_QUICK = 2_000_000  # numbers; comparing so many takes about as long as a thread does to begin
_BYTES_OF_CHUNK, _BYTES_OF_ENTRY = 350, 1_000  # beside its vector: its id, its document's, its labels
_LEFT_OUT = -2  # less than any cosine
_DECIMALS = 6  # what is equally near to this many is ordered by its id, as in PostgreSQL


class _Entry:
    """A tenant's vectors as of a generation, each of length 1; one without any direction is left out."""

    def __init__(self, generation: int, chunks: ChunkVectors) -> None:
        lengths = np.linalg.norm(chunks.matrix, axis=1, keepdims=True)
        (kept,) = np.nonzero(lengths[:, 0])
        self.generation = generation
        # By number, not by chunk: a question of the offline embedding has a tenth of the numbers, and the others of the
        # chunks are then not even read.
        self._columns = np.ascontiguousarray((chunks.matrix[kept] / lengths[kept]).T)
        self.node_ids = [chunks.node_ids[place] for place in kept]
        self.doc_ids = [chunks.doc_ids[place] for place in kept]
        self.sources = [chunks.sources[place] for place in kept]
        self._by_document, self._by_source = Labels(self.doc_ids), Labels(self.sources)

    @property
    def nbytes(self) -> int:
        return _BYTES_OF_ENTRY + int(self._columns.nbytes) + _BYTES_OF_CHUNK * len(self.node_ids)

    def is_quick(self, embedding: NDArray[np.float32]) -> bool:
        """Tell whether comparing a vector takes no longer than a thread does to begin."""
        return int(np.count_nonzero(embedding)) * len(self.node_ids) <= _QUICK

    def with_changes(self, generation: int, chunks: ChunkVectors, doc_ids: frozenset[str]) -> _Entry:
        """Return the vectors with those of changed documents in place of the ones that these had."""
        kept = [place for place, doc_id in enumerate(self.doc_ids) if doc_id not in doc_ids]
        matrices = [matrix for matrix in (self._columns.T[kept], chunks.matrix) if len(matrix)]
        joined = ChunkVectors(
            [*(self.node_ids[place] for place in kept), *chunks.node_ids],
            [*(self.doc_ids[place] for place in kept), *chunks.doc_ids],
            [*(self.sources[place] for place in kept), *chunks.sources],
            np.concatenate(matrices) if matrices else chunks.matrix,
        )
        return _Entry(generation, joined)

    def _cosines(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        columns = self._columns
        (told,) = np.nonzero(embedding)
        if len(told) < len(embedding) / 2:
            columns, embedding = columns[told], embedding[told]
        # By one thread where the loop waits for it: what `@` shares out among several takes, on a busy machine, until
        # the last has had its turn (6 ms where one took .2).
        cosines: NDArray[np.float32] = (
            np.einsum("i,ij->j", embedding, columns) if self.is_quick(embedding) else embedding @ columns
        )
        return cosines

    def nearest(self, embedding: NDArray[np.float32], query: RetrievalQuery, top_k: int) -> dict[str, float]:
        """Return the cosine similarities of the nearest chunks by id, the nearest first."""
        similarities = np.round(self._cosines(embedding), _DECIMALS)
        if query.sources is not None:
            similarities[~self._by_source.among(query.sources)] = _LEFT_OUT
        if query.doc_ids is not None:
            similarities[~self._by_document.among(query.doc_ids)] = _LEFT_OUT
        least = np.partition(similarities, -top_k)[-top_k] if len(similarities) > top_k else _LEFT_OUT
        (found,) = np.nonzero((similarities >= least) & (similarities > _LEFT_OUT))
        ranked = sorted((-float(similarities[place]), self.node_ids[place]) for place in found)
        return {node_id: -negated for negated, node_id in ranked[:top_k]}


class MemoryStore:
    """Each tenant's vectors as a float32 matrix, as new as its generation; the least recently used go first.

    Args:
        vectors: where the vectors are.
        max_bytes: how much memory the matrices may hold together; a single one may hold more.
    """

    def __init__(self, vectors: VectorReader, *, max_bytes: int = 200_000_000) -> None:
        self._vectors = vectors
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._refreshes = Refreshes(self._arefresh)
        self._told_of_limit = False

    @property
    def nbytes(self) -> int:
        """The memory that the matrices hold, in bytes, about."""
        return sum(entry.nbytes for entry in self._entries.values())

    def is_as_new(self, query: RetrievalQuery) -> bool:
        """Tell whether the tenant's vectors are in memory as of the query's generation."""
        entry = self._entries.get(query.tenant)
        return entry is not None and entry.generation >= query.generation

    def begin_refresh(self, tenant: str) -> asyncio.Task[Any]:
        """Bring the tenant's vectors up to date, without waiting for it."""
        return self._refreshes.begin(tenant)

    async def anearest(self, query: RetrievalQuery, embedding: Sequence[float], top_k: int) -> dict[str, float]:
        """Return the cosine similarities of the chunks nearest to a vector by id, of those that the query may find.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        is_new = self.is_as_new(query)
        metrics.cache_used("memory_store", hits=is_new, misses=not is_new)
        if is_new:
            entry = self._entries[query.tenant]
        else:
            entry = await self._refreshes.at_least(query.tenant, query.generation)
        if query.tenant in self._entries:
            self._entries.move_to_end(query.tenant)
        if not entry.node_ids:
            return {}
        asked = np.asarray(embedding, np.float16).astype(np.float32)  # PostgreSQL compares halves with halves
        asked /= np.linalg.norm(asked)
        if entry.is_quick(asked):
            return entry.nearest(asked, query, top_k)
        return await asyncio.to_thread(entry.nearest, asked, query, top_k)

    async def _arefresh(self, tenant: str) -> _Entry:
        entry = await asyncio.to_thread(self._read, tenant, self._entries.get(tenant))
        self._entries.pop(tenant, None)
        self._entries[tenant] = entry
        while len(self._entries) > 1 and self.nbytes > self._max_bytes:
            self._entries.popitem(last=False)
        metrics.cache_holds("memory_store", self.nbytes)
        if self.nbytes > self._max_bytes and not self._told_of_limit:
            self._told_of_limit = True
            logger.warning(
                "the vectors of one tenant take %.0f MB, more than retrieval.memory_store_mb allows for all (%.0f): "
                "no other's are kept beside them",
                self.nbytes / 1e6,
                self._max_bytes / 1e6,
            )
        return entry

    def _read(self, tenant: str, known: _Entry | None) -> _Entry:
        changes = self._vectors.changes(tenant, known.generation) if known is not None else None
        if known is None or changes is None:
            return _Entry(*self._vectors.snapshot(tenant))
        return known.with_changes(*changes)
