"""Whether the server answers at all: found out once, for everybody, as soon as one has waited for it in vain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection

PATIENCE_S = 0.5  # in which a server that answers takes a connection, a busy one too


class Liveness:
    """Taken for granted until somebody doubts it; then a connection is tried, again and again, until one is answered.

    Where packets vanish nothing fails by itself for seconds. Each step of each request would wait until its time is
    over; as it is, the first do, and what follows is told at once.

    Args:
        connect: makes a connection, within a time of its own.
    """

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection[Any]]]) -> None:
        self._connect = connect
        self._asking: asyncio.Task[None] | None = None
        self._doubted_at = 0.0

    def doubt(self) -> None:
        """Begin to find out whether the server answers; who waited in vain calls it."""
        if self._asking is None:
            self._doubted_at = time.monotonic()
            self._asking = asyncio.create_task(self._ask())

    async def require(self) -> None:
        """Return if nobody doubts that the server answers, or as soon as it does.

        Raises:
            psycopg.OperationalError: it has not answered for half a second.
        """
        if self._asking is None:
            return
        patience_s = self._doubted_at + PATIENCE_S - time.monotonic()
        if patience_s > 0:
            await asyncio.wait([self._asking], timeout=patience_s)
        if self._asking is not None:
            silent_s = time.monotonic() - self._doubted_at
            raise psycopg.OperationalError(f"it has been silent for {silent_s:.1f} s")

    async def aclose(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking

    async def _ask(self) -> None:
        try:
            while True:
                started = time.monotonic()
                try:
                    await (await self._connect()).close()
                    return
                except psycopg.Error:
                    if time.monotonic() - started < PATIENCE_S:
                        return  # it was refused: others will be as fast, and told why
        finally:
            self._asking = None
