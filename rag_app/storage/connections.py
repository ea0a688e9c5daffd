"""Connections of coroutines to PostgreSQL, kept from one query to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from rag_app.storage.liveness import Liveness

Connection = AsyncConnection[Any]
T = TypeVar("T")

_STOP_S = 1.0  # what the server has to stop a query that nobody waits for


class AsyncConnections:
    """At most `size` connections, which commit each statement and belong to the loop that first uses them.

    psycopg's own pool would try again in the background where the server is down, and this one is to fail at once;
    SQLAlchemy's adds a quarter of a millisecond to a query of a third of one.

    Args:
        size: the most connections at once.
        wait_s: how long to wait for a free one.
        options: what psycopg connects with.
    """

    def __init__(self, size: int, wait_s: float, options: Mapping[str, Any]) -> None:
        self._free = asyncio.Semaphore(size)
        self._wait_s = wait_s
        self._options = options
        self._idle: list[Connection] = []
        self._liveness = Liveness(self._connect)
        self._abandoned: set[asyncio.Task[Any]] = set()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do `work` on a connection; once more if it was an idle one that had broken.

        Who stops waiting is let go at once, while the server is still told to stop.

        Raises:
            psycopg.OperationalError: no connection can be made, none becomes free in time, it broke, or the server has
                fallen silent.
        """
        await self._liveness.require()
        working = asyncio.create_task(self._work(work))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            self._abandon(working)
            raise

    def _abandon(self, working: asyncio.Task[Any]) -> None:
        """End what nobody waits for; its place is free once the server has stopped too, or did not answer to that."""
        if working.cancel():
            asyncio.get_running_loop().call_later(_STOP_S, working.cancel)  # psycopg waits for ten seconds
            self._abandoned.add(working)
            working.add_done_callback(self._ended)
            self._liveness.doubt()

    def _ended(self, working: asyncio.Task[Any]) -> None:
        self._abandoned.discard(working)
        if not working.cancelled():
            working.exception()  # seen, though nobody waits for it

    async def _work(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise psycopg.OperationalError(f"no connection became free in {self._wait_s:.0f} s") from None
        try:
            while True:
                was_idle = bool(self._idle)
                connection = self._idle.pop() if was_idle else await self._connect()
                try:
                    result = await work(connection)
                except BaseException as error:
                    if isinstance(error, psycopg.Error) and not connection.broken:
                        await connection.rollback()
                        self._idle.append(connection)
                        raise
                    await connection.close()  # the server is gone, or nobody waits for the answer any more
                    if was_idle and isinstance(error, psycopg.OperationalError):
                        continue  # it may have broken long ago; the next one tells how it is now
                    raise
                self._idle.append(connection)
                return result
        finally:
            self._free.release()

    async def aclose(self) -> None:
        """Close the connections that nobody uses."""
        await self._liveness.aclose()
        for working in self._abandoned:
            working.cancel()
        await asyncio.gather(*self._abandoned, return_exceptions=True)
        while self._idle:
            await self._idle.pop().close()

    async def _connect(self) -> Connection:
        return await AsyncConnection.connect(autocommit=True, **self._options)
