"""Questions while the network to the database is silent: packets vanish, connections stay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from rag_app import RagApp
from rag_app.schema import RetrievalResult
from tests.network import Network, network

QUESTION = "ارسال چند روز طول می‌کشد؟"
NOTE = {"id": "m1", "title": "ارسال", "text": "ارسال سفارش تا سه روز کاری طول می‌کشد.", "source": "manual"}


@pytest.fixture(scope="module")
def silenced(new_database: Callable[[], str]) -> Iterator[tuple[RagApp, Network]]:
    """An application that answered before the network to its database fell silent."""
    with (
        network(new_database()) as way,
        RagApp.from_config(database={"url": way.url}, flags={"backend": "memory"}, deadline_s=3) as app,
    ):
        for tenant in ("t1", "t2"):
            app.ingest([NOTE], tenant=tenant)
        assert app.retrieve(QUESTION, tenant="t1").nodes
        way.fall_silent()
        yield app, way
        way.recover()


def reasons(result: RetrievalResult) -> set[str]:
    return {entry.reason for entry in result.trace.degradations}


def test_the_first_waits_in_vain_the_next_are_answered_at_once_and_all_is_well_when_it_is_over(
    silenced: tuple[RagApp, Network],
) -> None:
    app, way = silenced
    first = app.retrieve(QUESTION, tenant="t1")
    assert "TimeoutError" in reasons(first)
    assert [hit.node.metadata["doc_id"] for hit in first.nodes] == ["m1"]  # what was found before is remembered
    for method in ("production_rag", "context_retriever"):
        for _ in range(8):
            assert reasons(app.retrieve(QUESTION, tenant="t1", method=method)) == {"DatabaseUnavailableError"}
    never_asked = app.retrieve(QUESTION, tenant="t2")
    assert (never_asked.nodes, never_asked.method) == ((), "context_retriever")
    for tenant, outcome in (("t1", "answered"), ("t2", "no context")):
        answer = app.answer(QUESTION, tenant=tenant)
        assert (answer.outcome, answer.text != "") == (outcome, True)
    way.recover()
    until = time.monotonic() + 20
    while (after := app.retrieve(QUESTION, tenant="t1")).degraded and time.monotonic() < until:
        assert "not tried" not in reasons(after)
    assert after.nodes


def test_no_question_waits_longer_than_its_time(silenced: tuple[RagApp, Network]) -> None:
    app, way = silenced
    way.fall_silent()

    async def ask() -> list[float]:
        return [(await app.aretrieve(QUESTION, tenant=f"t{number % 3}")).trace.total_ms for number in range(4)]

    async def all_at_once() -> list[list[float]]:
        return await asyncio.gather(*(ask() for _ in range(8)))

    for times in asyncio.run(all_at_once()):
        assert max(times) < 4000  # the deadline of three seconds, and one for a busy machine
    way.recover()
