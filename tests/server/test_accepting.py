"""Who takes a connection, of several that listen on one socket."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from functools import partial

import pytest

from rag_app.server import accepting
from rag_app.server.accepting import SharedListener


class Taken(asyncio.Protocol):
    """Notes who took the connection, and ends it."""

    def __init__(self, by: str, taken: list[str]) -> None:
        self._note = partial(taken.append, by)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._note()
        transport.close()


Listen = Callable[[str, int], closing[SharedListener]]


@asynccontextmanager
async def listening(taken: list[str]) -> AsyncIterator[tuple[Listen, Callable[[], Awaitable[None]]]]:
    """Give what makes listeners, by their name and how many connections they have, and what connects to them."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        def listen(name: str, connections: int) -> closing[SharedListener]:
            return closing(SharedListener(bound.dup(), range(connections), partial(Taken, name, taken), 10))

        async def connect() -> None:
            reader, writer = await asyncio.open_connection(*bound.getsockname())
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
            await asyncio.sleep(2 * accepting._LONGEST_S)  # or the busy one might be at the end of its wait by the next

        yield listen, connect


async def test_one_with_fewer_connections_takes_it() -> None:
    taken: list[str] = []
    async with listening(taken) as (listen, connect):
        with listen("busy", 20):
            with listen("idle", 2):
                for _ in range(5):
                    await connect()
            await connect()
    assert taken == ["idle"] * 5 + ["busy"]


async def test_those_that_come_at_once_are_all_taken() -> None:
    taken: list[str] = []
    async with listening(taken) as (listen, connect):
        with listen("alone", 100):
            await asyncio.gather(*(connect() for _ in range(10)))
    assert taken == ["alone"] * 10


async def test_where_none_can_be_taken_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if not told:
                told.append(True)
                raise OSError(errno.EMFILE, "too many open files")
            return super().accept()

    taken: list[str] = []
    told: list[bool] = []
    monkeypatch.setattr(accepting, "_PAUSE_S", 0.1)
    with Full() as full:
        full.bind(("127.0.0.1", 0))
        listener = SharedListener(full, (), partial(Taken, "alone", taken), 10)
        reader, writer = await asyncio.open_connection(*full.getsockname())
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        listener.close()
    assert (taken, told) == (["alone"], [True])
