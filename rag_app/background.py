"""One event loop of our own, in a thread, for callers with a loop, without one, or with a new one each time."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from anyio.from_thread import start_blocking_portal

Args = TypeVarTuple("Args")
T = TypeVar("T")

_THREADS = 16  # asyncio's own default on two cores is 6, which a few parts that hang would fill


class BackgroundLoop:
    """Runs coroutines on one loop, so that connections and locks always belong to it.

    `call` works in a thread whose own loop is running, as in Jupyter; `acall` leaves the caller's loop free, and
    cancelling it cancels the work.
    """

    def __init__(self) -> None:
        self._starter = start_blocking_portal("asyncio", name="rag_app")
        self._portal = self._starter.__enter__()
        self._process = os.getpid()
        self._portal.call(_more_threads)
        atexit.register(self.close)  # nobody closes what a notebook opened, and the interpreter would wait for ever

    def call(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Run `function(*args)` on the loop and wait for its result."""
        return self._portal.call(function, *args)

    async def acall(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Run `function(*args)` on the loop and await its result from another loop."""
        return await asyncio.wrap_future(self._portal.start_task_soon(function, *args))

    def close(self) -> None:
        """Wait for what is running, then stop the loop; closing again, or in a forked process, does nothing."""
        atexit.unregister(self.close)
        if os.getpid() != self._process:
            return  # its thread did not come along
        self._starter.__exit__(None, None, None)


async def _more_threads() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="rag_app"))
