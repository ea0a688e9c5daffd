"""Answers that come piece by piece, or take long; the work ends when nobody listens any more."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import anyio
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class EventStream(StreamingResponse):
    """Server-sent events; when the client goes, the generator of the events is cancelled at once.

    Args:
        events: the events, as `event_of` writes them.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        super().__init__(events, headers={"X-Accel-Buffering": "no"})  # has nginx give each event on when it comes
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end or the client goes."""

        async def sent() -> None:
            async with aclosing(self._events):
                await self.stream_response(send)

        await while_connected(receive, sent)


async def while_connected(receive: Receive, work: Callable[[], Awaitable[T]]) -> T | None:
    """Return what `work` does, or None: it is cancelled when the client goes. The body was read before."""
    done: T | None = None
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            done = await work()
        finally:
            tasks.cancel_scope.cancel()
    return done


def event_of(data: Any, name: str | None = None) -> str:
    """Return an event; JSON writes the data in one line."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data, ensure_ascii=False, allow_nan=False)}\n\n"
