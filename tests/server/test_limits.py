from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from llama_index.core.llms import ChatMessage
from starlette.types import Message

from rag_app.server import limits
from rag_app.server.errors import ApiError
from rag_app.server.limits import Gate, RateLimits, limited
from tests.server.running import Running, running
from tests.server.test_chat import waited, written_by

QUESTION = {"messages": [{"role": "user", "content": "ارسال سفارش"}]}


def with_limits(server: Running, **options: Any) -> Any:
    """The server's application with other limits."""
    app = copy.copy(server.app)
    of_server = app.settings.server.model_copy(update=options)
    app.settings = app.settings.model_copy(update={"server": of_server})
    return app


@pytest.fixture(scope="module")
def narrow(server: Running) -> Iterator[Running]:
    """A server on the same application that runs two requests at once."""
    with running(with_limits(server, max_in_flight=2)) as started:
        yield started


def test_as_many_wait_as_run_and_the_rest_is_told_to_come_again(
    server: Running, narrow: Running, client: httpx.Client, tenant: str
) -> None:
    go_on = threading.Event()
    running_now = 0

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        nonlocal running_now
        running_now += 1
        await asyncio.to_thread(go_on.wait, 20)
        yield "پاسخ"

    gate = narrow.services.requests
    with narrow.client(tenant) as asking, written_by(server, write), ThreadPoolExecutor(4) as pool:
        ask = lambda: asking.post("/v1/chat/completions", json=QUESTION)  # noqa: E731
        first = [pool.submit(ask) for _ in range(2)]
        assert waited(lambda: running_now == 2)
        gate._wait_s = 20
        waiting = [pool.submit(ask) for _ in range(2)]
        assert waited(lambda: gate.waiting == 2)
        started = time.monotonic()
        refused = asking.post("/v1/chat/completions", json=QUESTION)
        assert time.monotonic() - started < 10  # it does not wait for a place
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert asking.get("/healthz").status_code == asking.get("/readyz").status_code == 200
        assert running_now == 2
        go_on.set()
        assert [each.result(20).status_code for each in (*first, *waiting)] == [200] * 4
    assert waited(lambda: not gate.busy)


def test_a_tenant_that_fills_its_places_leaves_some_for_the_others(
    server: Running, client: httpx.Client, tenant: str
) -> None:
    go_on = threading.Event()

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        await asyncio.to_thread(go_on.wait, 20)
        yield "پاسخ"

    with (
        running(with_limits(server, max_in_flight=4)) as small,
        small.client(tenant) as first_key,
        small.client(tenant) as second_key,
        small.client(f"{tenant}-other") as other,
        written_by(server, write),
        ThreadPoolExecutor(6) as pool,
    ):
        gate = small.services.requests
        gate._wait_s = 20
        sent = [pool.submit(key.post, "/v1/chat/completions", json=QUESTION) for key in (first_key, second_key) * 3]
        assert waited(lambda: gate.waiting == 3)
        assert gate.running == 3
        assert other.get("/v1/models").status_code == 200
        refused = first_key.get("/v1/models")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
        go_on.set()
        assert [each.result(20).status_code for each in sent] == [200] * 6
        assert waited(lambda: not gate.busy)


async def test_a_free_place_goes_to_the_tenant_with_the_fewest_and_then_to_who_waits_longest() -> None:
    gate = Gate(4, wait_s=20)
    order: list[str] = []
    leave = {name: asyncio.Event() for name in ("a1", "a2", "a3", "b1", "a4", "b2", "c1", "b3")}

    async def ask(name: str) -> None:
        async with gate.enter(name[0]):
            order.append(name)
            await leave[name].wait()

    asked = []
    for name in leave:
        asked.append(asyncio.create_task(ask(name)))
        await asyncio.sleep(0)
    assert (gate.running, gate.waiting) == (4, 4)
    for name in ("a1", "a2", "a3", "b1"):
        leave[name].set()
        await asked[list(leave).index(name)]
        await asyncio.sleep(0)
    assert order == ["a1", "a2", "a3", "b1", "c1", "a4", "b2", "b3"]
    for event in leave.values():
        event.set()
    await asyncio.gather(*asked)
    assert not gate.busy
    assert not gate._of_tenant


async def test_a_place_that_is_given_to_one_that_just_gave_up_goes_on_to_the_next() -> None:
    gate = Gate(2, wait_s=20)
    await gate._place("a")
    await gate._place("a")
    gone, next_one = (asyncio.create_task(gate._place(tenant)) for tenant in ("b", "c"))
    await asyncio.sleep(0)
    gate._leave("a")  # b's turn
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert gone.cancelled()
    await asyncio.wait_for(next_one, 5)
    assert (gate.running, gate.waiting, dict(gate._of_tenant)) == (2, 0, {"a": 1, "c": 1})


async def test_who_waits_in_vain_is_turned_away_and_leaves_no_trace() -> None:
    gate = Gate(1, wait_s=0.05)
    async with gate.enter("t"):
        with pytest.raises(ApiError) as refused:
            async with gate.enter("t"):
                pass
        assert refused.value.status_code == 429
        waiting = asyncio.create_task(gate.enter("t").__aenter__())
        await asyncio.sleep(0)
        assert gate.waiting == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (gate.running, gate.waiting) == (1, 0)
    async with gate.enter("t"):
        assert gate.running == 1
    assert not gate.busy
    gate.draining = True
    with pytest.raises(ApiError) as stopping:
        async with gate.enter("t"):
            pass
    assert (stopping.value.status_code, stopping.value.code) == (503, "stopping")


def test_a_key_has_a_minutes_requests_and_gets_them_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    rates = RateLimits(30)
    for _ in range(30):
        rates.take(1)
    with pytest.raises(ApiError) as refused:
        rates.take(1)
    assert refused.value.headers == {"Retry-After": "2"}
    rates.take(2)
    now += 2
    rates.take(1)
    with pytest.raises(ApiError):
        rates.take(1)
    now += 3600
    for _ in range(30):
        rates.take(1)
    with pytest.raises(ApiError):
        rates.take(1)


def test_a_key_above_its_rate_is_told_when_to_come_again(server: Running, tenant: str) -> None:
    with running(with_limits(server, requests_per_minute=3)) as slow, slow.client(tenant) as client:
        answers = [client.get("/v1/models") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
        with slow.client(tenant) as other:
            assert other.get("/v1/models").status_code == 200


def test_many_keys_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KEYS", 10)
    rates = RateLimits(5)
    for key in range(100):
        rates.take(key)
    assert len(rates._left) == 10


async def test_a_body_is_refused_when_it_is_known_to_be_too_large_or_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> Message:
        return {"type": "http.request", "body": b"a" * 40, "more_body": True}

    async def silence() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    for length in ("101", "9" * 5000):
        with pytest.raises(ApiError) as refused:
            limited(body, length, 100)
        assert refused.value.status_code == 413
    receive = limited(body, None, 100)
    await receive()
    await receive()
    with pytest.raises(ApiError) as refused:
        await receive()
    assert refused.value.status_code == 413
    monkeypatch.setattr(limits, "BODY_S", 0.05)
    with pytest.raises(ApiError) as late:
        await limited(silence, "50", 100)()
    assert late.value.status_code == 408
