"""Streams on the application's loop, read from threads with a loop, without one, and not to their end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from rag_app.background import BackgroundLoop


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    background = BackgroundLoop()
    yield background
    background.close()


class Source:
    """Counts up for ever, or to an error."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.ended = threading.Event()
        self.thread = ""

    async def numbers(self, start: int) -> AsyncIterator[int]:
        self.thread = threading.current_thread().name
        try:
            number = start
            while number != self.fails_at:
                yield number
                number += 1
                await asyncio.sleep(0.001)
            raise ValueError("no more")
        finally:
            self.ended.set()


async def few(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def test_all_items_come_in_their_order(loop: BackgroundLoop) -> None:
    assert list(loop.stream(few, 100)) == list(range(100))


async def test_a_stream_is_read_from_another_loop_without_blocking_it(loop: BackgroundLoop) -> None:
    async def both() -> tuple[list[int], list[int]]:
        async def read() -> list[int]:
            return [number async for number in loop.astream(few, 50)]

        first, second = await asyncio.gather(read(), read())
        return first, second

    assert await both() == (list(range(50)), list(range(50)))
    assert list(loop.stream(few, 3)) == [0, 1, 2]  # and by a plain call while a loop runs here


def test_an_error_comes_after_the_items_before_it(loop: BackgroundLoop) -> None:
    numbers = loop.stream(Source(fails_at=3).numbers, 1)
    assert [next(numbers), next(numbers)] == [1, 2]
    with pytest.raises(ValueError, match="no more"):
        next(numbers)


def test_who_stops_early_ends_the_work(loop: BackgroundLoop) -> None:
    source = Source()
    numbers = loop.stream(source.numbers, 1)
    assert next(numbers) == 1
    assert source.thread != threading.current_thread().name
    numbers.close()  # type: ignore[attr-defined]
    assert source.ended.wait(20)


async def test_who_is_cancelled_ends_the_work(loop: BackgroundLoop) -> None:
    source = Source()

    async def read() -> None:
        async for _ in loop.astream(source.numbers, 1):
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(source.ended.wait, 5)


def test_a_loop_that_is_closed_while_it_reads_leaves_ours_running(loop: BackgroundLoop) -> None:
    source = Source()

    async def read_one() -> int:
        return await anext(aiter(loop.astream(source.numbers, 7)))

    assert asyncio.run(read_one()) == 7
    assert source.ended.wait(20)
    assert list(loop.stream(few, 2)) == [0, 1]


def test_a_stream_that_nobody_reads_never_starts(loop: BackgroundLoop) -> None:
    source = Source()
    loop.stream(source.numbers, 1)
    time.sleep(0.05)
    assert source.thread == ""
