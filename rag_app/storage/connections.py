"""Connections of coroutines to PostgreSQL, kept from one query to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

Connection = AsyncConnection[Any]
T = TypeVar("T")


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

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do `work` on a connection; once more if it was an idle one that had broken.

        Raises:
            psycopg.OperationalError: no connection can be made, none becomes free in time, or it broke.
        """
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
        while self._idle:
            await self._idle.pop().close()

    async def _connect(self) -> Connection:
        return await AsyncConnection.connect(autocommit=True, **self._options)
