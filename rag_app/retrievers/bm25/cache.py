"""The tenants' BM25 indexes in memory: as new as asked for, and within a limit of bytes."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from rag_app import metrics
from rag_app.logs import get_logger
from rag_app.persian import Lexicons
from rag_app.persian.word_memory import WordMemory
from rag_app.retrievers.bm25.index import TenantBM25Retriever
from rag_app.schema import Reading, RetrievalQuery
from rag_app.storage import ChunkReader

logger = get_logger(__name__)

_REBUILT_CHUNKS = 2_000  # fewer are indexed anew after each write, in about a tenth of a second
_CHANGED_SHARE = 0.05  # of the chunks; past it what changed is worth an index that is built whole
_BYTES_OF_ENTRY = 300
_QUICK_CHUNKS, _QUICK_CHARACTERS = 20_000, 300  # with fewer, reading and searching take a few milliseconds
T = TypeVar("T")
_REMEMBERED = 0.15  # of the memory, for what words of questions were found to stand for
_ALLOCATED = 1.1  # bytes of the process for each of an index, as memory is given out in blocks


class _Built(NamedTuple):
    """An index that was built whole; None for no chunks."""

    generation: int
    retriever: TenantBM25Retriever | None


class _Entry(NamedTuple):
    """What serves a tenant: an index as of a generation, and the one built whole that it was made of."""

    generation: int
    retriever: TenantBM25Retriever | None
    built: _Built


class BM25Indexes:
    """The tenants' BM25 indexes: as new as a tenant's generation; the least recently used are dropped first.

    Beside them is remembered what words of questions were found to stand for.

    The index of a large tenant takes in what changed, in milliseconds; when much has changed, it is built anew beside.

    Args:
        reader: where the tokens are.
        lexicons: the tenants' synonyms and courtesies.
        similarity_top_k: the most chunks that a query gets.
        max_bytes: how much memory all may hold together; a single index may hold more.
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
        self._memory = WordMemory(int(_REMEMBERED * max_bytes))
        self._max_bytes = max_bytes - int(_REMEMBERED * max_bytes)
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._nbytes = 0
        self._told_of_limit = False
        self._refreshing: dict[str, asyncio.Task[_Entry]] = {}
        self._rebuilding: dict[str, asyncio.Task[None]] = {}
        self._rebuilt: dict[str, _Built] = {}

    @property
    def nbytes(self) -> int:
        """The memory that the indexes hold, in bytes, about."""
        return self._nbytes

    def generation(self, tenant: str) -> int | None:
        """Return the generation of the tenant's index; None if there is none in memory."""
        entry = self._entries.get(tenant)
        return entry.generation if entry is not None else None

    async def aget(self, tenant: str, generation: int) -> TenantBM25Retriever | None:
        """Return the tenant's index, at least as new as `generation`; None for a tenant without chunks.

        Callers share one refresh, and it goes on when a caller runs out of time, so that the next finds it done.
        """
        entry = self._entries.get(tenant)
        is_new = entry is not None and entry.generation >= generation
        metrics.cache_used("bm25_index", hits=is_new, misses=not is_new)
        if (entry is None or entry.generation < generation) and (running := self._refreshing.get(tenant)) is not None:
            entry = await asyncio.shield(running)  # it may have read before `generation` was written
        if entry is None or entry.generation < generation:
            entry = await asyncio.shield(self._refresh(tenant))
        if tenant in self._entries:
            self._entries.move_to_end(tenant)
        return entry.retriever

    async def aread(self, query: RetrievalQuery) -> Reading | None:
        """Return what the question means among the words of the tenant's texts; None for a tenant without chunks."""
        index = await self.aget(query.tenant, query.generation)
        if index is None:
            return None
        before = self._memory.nbytes
        reading = await beside_others(index, _read, query)
        if self._memory.nbytes != before:
            metrics.cache_holds("words", self._memory.nbytes)
        return reading

    def _refresh(self, tenant: str) -> asyncio.Task[_Entry]:
        """Return the refresh of the tenant's index that is running, else begin one."""
        if tenant not in self._refreshing:
            self._refreshing[tenant] = asyncio.create_task(self._arefresh(tenant))
            self._refreshing[tenant].add_done_callback(_seen)
        return self._refreshing[tenant]

    async def _arefresh(self, tenant: str) -> _Entry:
        try:
            entry = await self._achanged(tenant)
            if entry is None:
                built = await self._abuild(tenant)
                entry = _Entry(*built, built)
        finally:
            del self._refreshing[tenant]
        self._keep(tenant, entry)
        return entry

    async def _abuild(self, tenant: str) -> _Built:
        generation, chunks = await self._reader.atokens(tenant)
        if not chunks:
            return _Built(generation, None)
        lexicon, most = self._lexicons.of(tenant), self._similarity_top_k
        index = await asyncio.to_thread(
            TenantBM25Retriever, chunks, lexicon, similarity_top_k=most, memory=self._memory
        )
        return _Built(generation, index)

    async def _achanged(self, tenant: str) -> _Entry | None:
        """Return the tenant's index with what changed since it was built; None if it is to be built instead."""
        entry = self._entries.get(tenant)
        built = self._rebuilt.pop(tenant, None) or (entry.built if entry is not None else None)
        if built is None or built.retriever is None or len(built.retriever) < _REBUILT_CHUNKS:
            return None
        changes = await self._reader.achanges(tenant, built.generation)
        if changes is None or len(changes.chunks) > len(built.retriever):
            return None
        index = await asyncio.to_thread(built.retriever.with_changes, changes)
        if (
            index is not None
            and index.changed > _CHANGED_SHARE * len(built.retriever)
            and tenant not in self._rebuilding
        ):
            self._rebuilding[tenant] = asyncio.create_task(self._arebuild(tenant))
        return _Entry(changes.generation, index, built)

    async def _arebuild(self, tenant: str) -> None:
        """Build the tenant's index whole while the present one serves, and then put it in its place."""
        try:
            built = await self._abuild(tenant)
            while tenant in self._refreshing:
                await asyncio.wait([self._refreshing[tenant]])
            if tenant in self._entries:
                self._rebuilt[tenant] = built
                await self._refresh(tenant)
        except Exception as error:  # noqa: BLE001 - the present index goes on serving, and the next change tries again
            logger.warning("bm25: an index was not built anew: %s", type(error).__name__)
        finally:
            del self._rebuilding[tenant]

    def _keep(self, tenant: str, entry: _Entry) -> None:
        self._drop(tenant)
        self._entries[tenant] = entry
        self._nbytes += _nbytes_of(tenant, entry)
        while self._nbytes > self._max_bytes and len(self._entries) > 1:
            self._drop(next(iter(self._entries)))
        metrics.cache_holds("bm25_index", self._nbytes)
        if self._nbytes > self._max_bytes and not self._told_of_limit:
            self._told_of_limit = True
            logger.warning(
                "bm25: the index of one tenant takes %.0f MB, more than retrieval.bm25_cache_mb leaves for all (%.0f): "
                "no other is kept beside it",
                self._nbytes / 1e6,
                self._max_bytes / 1e6,
            )

    def _drop(self, tenant: str) -> None:
        entry = self._entries.pop(tenant, None)
        if entry is not None:
            self._nbytes -= _nbytes_of(tenant, entry)


def _seen(refresh: asyncio.Task[_Entry]) -> None:
    """Take note of how a refresh ended; those who asked for it may all have run out of time."""
    if not refresh.cancelled():
        refresh.exception()


async def beside_others(
    index: TenantBM25Retriever, work: Callable[[TenantBM25Retriever, RetrievalQuery], T], query: RetrievalQuery
) -> T:
    """Do quick work on the loop, where it takes less than a thread would to begin, and other work in a thread."""
    if len(index) <= _QUICK_CHUNKS and len(query.query_str) <= _QUICK_CHARACTERS:
        return work(index, query)
    return await asyncio.to_thread(work, index, query)


def _read(index: TenantBM25Retriever, query: RetrievalQuery) -> Reading:
    return index.vocabulary.read(query.query_str)


def _nbytes_of(tenant: str, entry: _Entry) -> int:
    held = entry.retriever.nbytes if entry.retriever is not None else 0
    return int(_ALLOCATED * (_BYTES_OF_ENTRY + sys.getsizeof(tenant) + held))
