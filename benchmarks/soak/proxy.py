"""A TCP proxy whose connections can be cut, refused or left in silence."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Literal

Mode = Literal["open", "refused", "silent"]


class Proxy:
    """Passes connections on, in a thread of its own; for a `with` block.

    Args:
        target: a port of this machine, or the path of a socket.

    Attributes:
        port: where it listens.
    """

    def __init__(self, target: int | str) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._mode: Mode = "open"
        self._talking = asyncio.Event()
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.set("refused")
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def set(self, mode: Mode) -> None:
        """Pass everything on, refuse and cut all connections, or keep them and pass nothing on."""
        asyncio.run_coroutine_threadsafe(self._set(mode), self._loop).result(10)

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "silent":
            self._talking.clear()
        else:
            self._talking.set()
        if mode == "refused":
            for writer in self._writers:
                writer.transport.abort()

    async def _listen(self) -> int:
        self._talking.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._mode != "refused":
                onward_reader, onward = await self._onward()
                self._writers.add(onward)
                try:
                    await asyncio.gather(self._pass(reader, onward), self._pass(onward_reader, writer))
                finally:
                    self._writers.discard(onward)
                    onward.transport.abort()
        except OSError:
            pass  # either side is gone, and so is the other now
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _onward(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._talking.wait()
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()
