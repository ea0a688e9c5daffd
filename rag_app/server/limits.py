"""How much is taken on: requests at once, requests a minute, bytes of a body. What is above that is told so at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.types import Message, Receive

from rag_app.server.errors import ApiError

MAX_KEYS = 10_000  # so many keys' rates are remembered
BODY_S = 60.0  # what a body may take to arrive; who sends slower would hold a place that others wait for


class _Waiting(NamedTuple):
    """A request that waits, for the future to be set."""

    tenant: str
    turn: asyncio.Future[None]


class Gate:
    """Lets a number of requests run at once and as many wait for their turn, of one tenant three quarters at most.

    So there is a place for the others at once, whatever one sends and however long that takes. A place that becomes
    free goes to the tenant that has the fewest, and of those to who waits longest.

    Args:
        most: how many run at once; of fewer than four, one tenant may have all.
        wait_s: how long one waits before it is turned away.

    Attributes:
        running: how many run now.
        draining: whether no further one is let in, because the server is to stop.
    """

    def __init__(self, most: int, wait_s: float) -> None:
        self.running = 0
        self.draining = False
        self._most = most
        self._most_of_one = most - most // 4
        self._wait_s = wait_s
        self._of_tenant: Counter[str] = Counter()
        self._line: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._line)

    @property
    def busy(self) -> bool:
        """Tell whether anything runs or waits."""
        return self.running + self.waiting > 0

    @asynccontextmanager
    async def enter(self, tenant: str) -> AsyncIterator[None]:
        """Run the block when there is a place for a tenant's request.

        Raises:
            ApiError: 429 when too many wait already, or the wait was in vain; 503 while draining.
        """
        if self.draining:
            raise ApiError(503, "the server is stopping", "stopping", retry_after_s=1)
        await self._place(tenant)
        try:
            yield
        finally:
            self._leave(tenant)

    async def _place(self, tenant: str) -> None:
        if self._has_place(tenant):
            self._take(tenant)
            return
        of_tenant = sum(waiting.tenant == tenant for waiting in self._line)
        if self.waiting >= self._most or of_tenant >= self._most_of_one:
            raise self._full()
        waiting = _Waiting(tenant, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        try:
            async with asyncio.timeout(self._wait_s):
                await waiting.turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiting in self._line:
                self._line.remove(waiting)
            else:  # its turn came in the same moment
                self._leave(tenant)
            if isinstance(error, TimeoutError):
                raise self._full() from None
            raise

    def _has_place(self, tenant: str) -> bool:
        return self.running < self._most and self._of_tenant[tenant] < self._most_of_one

    def _take(self, tenant: str) -> None:
        self.running += 1
        self._of_tenant[tenant] += 1

    def _leave(self, tenant: str) -> None:
        self.running -= 1
        self._of_tenant -= Counter([tenant])  # forgets who has none
        able = [waiting for waiting in self._line if self._has_place(waiting.tenant)]
        if able:
            first = min(able, key=lambda waiting: self._of_tenant[waiting.tenant])
            self._line.remove(first)
            self._take(first.tenant)
            first.turn.set_result(None)

    def _full(self) -> ApiError:
        return ApiError(429, "too many requests are running; try again soon", "overloaded", retry_after_s=self._wait_s)


class RateLimits:
    """Counts requests by key: a bucket that holds a minute's requests and fills as the time goes by.

    Args:
        per_minute: how many requests a key may send in a minute, at once or spread over it.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._per_second = per_minute / 60
        self._left: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def take(self, key_id: int) -> None:
        """Count a request.

        Raises:
            ApiError: 429 when the key has none left; it tells when it has one again.
        """
        now = time.monotonic()
        left, since = self._left.pop(key_id, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_second)
        self._left[key_id] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > MAX_KEYS:
            self._left.popitem(last=False)
        if left < 1:
            raise ApiError(
                429,
                f"this key may send {self._per_minute} requests a minute",
                "rate_limit_exceeded",
                retry_after_s=(1 - left) / self._per_second,
            )


def limited(receive: Receive, length: str | None, most: int) -> Receive:
    """Return a `receive` that refuses a body as soon as it is known to be larger than `most` bytes.

    Args:
        receive: gives the body, and afterwards the news that the client is gone.
        length: the header Content-Length, if there is one.
        most: how many bytes it may have.

    Raises:
        ApiError: 413, from here if the header tells already, else from `receive`; there 408 too, if it is too slow.
    """
    too_large = ApiError(413, f"the body has more than {most} bytes", "body_too_large")
    if length is not None and length.isdecimal() and int(length[:20]) > most:
        raise too_large
    until = time.monotonic() + BODY_S
    left = most
    ended = False

    async def counted() -> Message:
        nonlocal left, ended
        if ended:
            return await receive()
        try:
            async with asyncio.timeout(until - time.monotonic()):
                message = await receive()
        except TimeoutError:
            raise ApiError(408, f"the body took longer than {BODY_S:g} s", "body_too_slow") from None
        left -= len(message.get("body", b""))
        if left < 0:
            raise too_large
        ended = not message.get("more_body", False)
        return message

    return counted
