"""One event loop of our own, in a thread, for callers with a loop, without one, or with a new one each time."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from queue import SimpleQueue
from typing import TypeVar, TypeVarTuple

from anyio.from_thread import start_blocking_portal

Args = TypeVarTuple("Args")
T = TypeVar("T")

_THREADS = 16  # asyncio's own default on two cores is 6, which a few parts that hang would fill


class _End:
    """What comes after the last item of a stream: nothing more, or the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def check(self) -> None:
        if self._error is not None:
            raise self._error


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

    def stream(self, function: Callable[[*Args], AsyncIterator[T]], *args: *Args) -> Iterator[T]:
        """Iterate over `function(*args)` on the loop; who stops early cancels it."""
        queue: SimpleQueue[T | _End] = SimpleQueue()
        running = self._portal.start_task_soon(_pump, queue.put, function, *args)
        try:
            while not isinstance(item := queue.get(), _End):
                yield item
            item.check()
        finally:
            running.cancel()

    async def astream(self, function: Callable[[*Args], AsyncIterator[T]], *args: *Args) -> AsyncIterator[T]:
        """Iterate over `function(*args)` on the loop from another loop; who stops early cancels it."""
        own, queue = asyncio.get_running_loop(), asyncio.Queue[T | _End]()

        def put(item: T | _End) -> None:
            with suppress(RuntimeError):  # the caller's loop was closed: nobody waits for it
                own.call_soon_threadsafe(queue.put_nowait, item)

        running = self._portal.start_task_soon(_pump, put, function, *args)
        try:
            while not isinstance(item := await queue.get(), _End):
                yield item
            item.check()
        finally:
            running.cancel()

    def close(self) -> None:
        """Wait for what is running, then stop the loop; closing again, or in a forked process, does nothing."""
        atexit.unregister(self.close)
        if os.getpid() != self._process:
            return  # its thread did not come along
        self._starter.__exit__(None, None, None)


async def _more_threads() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="rag_app"))


async def _pump(put: Callable[[T | _End], None], function: Callable[[*Args], AsyncIterator[T]], *args: *Args) -> None:
    """Give the items of a stream on as they come, then its end."""
    try:
        async with aclosing(function(*args)) as items:  # type: ignore[type-var]
            async for item in items:
                put(item)
    except BaseException as error:
        put(_End(error))
        raise
    put(_End())
