"""Bringing tenants up to date, once for all who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar


class State(Protocol):
    """What an index holds of a tenant."""

    @property
    def generation(self) -> int:
        """The tenant's generation that it is of."""
        ...


S = TypeVar("S", bound=State)


class Refreshes(Generic[S]):
    """Runs one refresh of a tenant at a time, which all who need it share; it goes on when they run out of time."""

    def __init__(self, refresh: Callable[[str], Awaitable[S]]) -> None:
        self._refresh = refresh
        self._running: dict[str, asyncio.Task[S]] = {}

    async def at_least(self, tenant: str, generation: int) -> S:
        """Refresh a tenant, and return its state, which is of this generation or a newer one."""
        running = self._running.get(tenant)
        if running is not None and (state := await asyncio.shield(running)).generation >= generation:
            return state  # else it may have read before `generation` was written
        return await asyncio.shield(self.begin(tenant))

    def begin(self, tenant: str) -> asyncio.Task[S]:
        """Return the refresh of a tenant that is running, else begin one."""
        if tenant not in self._running:
            self._running[tenant] = asyncio.create_task(self._run(tenant))
            self._running[tenant].add_done_callback(_seen)
        return self._running[tenant]

    async def _run(self, tenant: str) -> S:
        try:
            return await self._refresh(tenant)
        finally:
            del self._running[tenant]


def _seen(task: asyncio.Task[S]) -> None:
    """Take note of how a refresh failed; those who waited for it may all have left."""
    if not task.cancelled():
        task.exception()
