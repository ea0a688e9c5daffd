"""Blocking iterators, for coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def iterate_in_thread(start: Callable[[], Iterator[T]]) -> AsyncGenerator[T]:
    """Yield what the iterator yields, which runs in a thread of its own.

    A thread that hangs is left behind and keeps nobody from ending: it is a daemon, and of no pool. Once nobody listens
    any more, it ends at its next item.

    Args:
        start: makes the iterator, in the thread.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[T | _End] = asyncio.Queue()
    gone = threading.Event()

    def put(item: T | _End) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(items.put_nowait, item)

    def run() -> None:
        try:
            for item in start():
                if gone.is_set():
                    return
                put(item)
            put(_End(None))
        except Exception as error:  # noqa: BLE001 - raised below, where it is awaited
            put(_End(error))

    threading.Thread(target=run, name="rag_app_llm", daemon=True).start()
    try:
        while not isinstance(item := await items.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        gone.set()


class _End:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
