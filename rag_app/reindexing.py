"""Making the whole index anew with another embedding or analyser, while the application goes on serving."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rag_app.storage import NextIndex, TenantCatalog

_ROUNDS = 5  # that follow what is written meanwhile, before writes are made to wait

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class ReindexReport:
    """What was done; `resumed` if it went on with what an earlier run had begun.

    Attributes:
        before: what the index was built with.
        after: what it is built with now.
        chunks: how many were made anew; one that was written meanwhile counts again.
    """

    before: Mapping[str, str]
    after: Mapping[str, str]
    chunks: int
    resumed: bool
    seconds: float


class Reindexing:
    """Fills a new table of chunks beside the old, follows what is written meanwhile, and swaps the two.

    Until the swap everything is served from the old one. At the swap writes wait for a moment. From then on a process
    that still has the old embedding searches without its dense leg, until it is started with the new settings.

    Args:
        catalog: knows what the index was built with.
        next_index: the new table.
        index_settings: what it is built with.
    """

    def __init__(self, catalog: TenantCatalog, next_index: NextIndex, index_settings: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._next = next_index
        self._index_settings = dict(index_settings)

    def run(self, progress: Progress | None = None) -> ReindexReport | None:
        """Make the index anew; None if it is built with these settings already, or nothing was ever stored.

        Args:
            progress: called with the number of chunks done and the tenant that is done.

        Raises:
            StorageError: another one is running, or the database's user does not own the tables.
            DatabaseUnavailableError: the database does not answer; running it again goes on from there.
        """
        started = time.perf_counter()
        with self._next.alone():
            before = self._catalog.index_settings()
            if before in ({}, self._index_settings):
                return None
            resumed = self._next.begin(self._index_settings)
            chunks = 0
            for _ in range(_ROUNDS):
                for behind in self._next.behind():
                    chunks += self._next.copy(behind)
                    if progress is not None:
                        progress(chunks, behind.tenant)
            self._next.swap()
        return ReindexReport(before, self._index_settings, chunks, resumed, time.perf_counter() - started)
