"""One event loop of our own, in a thread, for callers with a loop, without one, or with a new one each time."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

from anyio.from_thread import start_blocking_portal

Args = TypeVarTuple("Args")
T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on one loop, so that connections and locks always belong to it.

    `call` works in a thread whose own loop is running, as in Jupyter; `acall` leaves the caller's loop free, and
    cancelling it cancels the work.
    """

    def __init__(self) -> None:
        self._starter = start_blocking_portal("asyncio", name="rag_app")
        self._portal = self._starter.__enter__()
        atexit.register(self.close)  # nobody closes what a notebook opened, and the interpreter would wait for ever

    def call(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Run `function(*args)` on the loop and wait for its result."""
        return self._portal.call(function, *args)

    async def acall(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Run `function(*args)` on the loop and await its result from another loop."""
        return await asyncio.wrap_future(self._portal.start_task_soon(function, *args))

    def close(self) -> None:
        """Wait for what is running, then stop the loop; closing again does nothing."""
        atexit.unregister(self.close)
        self._starter.__exit__(None, None, None)
