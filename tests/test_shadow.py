"""Shadow mode: what is compared and kept, and that the served request never notices."""

from __future__ import annotations

import asyncio
import inspect
import logging
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from llama_index.core.schema import NodeWithScore, TextNode
from sqlalchemy import event, text

from rag_app import RagApp, metrics, shadow
from rag_app.errors import DatabaseUnavailableError, InvalidInputError
from rag_app.schema import Deadline, Reading, RequestOptions, RetrievalQuery, RetrievalResult, TokenBudget
from rag_app.shadow import Shadow
from rag_app.storage import Comparison, Database, ShadowStore, shadow_store
from rag_app.storage.shadow_store import PipelineSummary, ShadowSummary
from rag_app.trace import Trace
from tests.conftest import SAMPLE_TENANT, heartbeat

QUESTION = "استراداد شهریه بعد جلسه دوم چند درسده؟"
Calls = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def store(database: Database) -> ShadowStore:
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE rag_app.shadow_comparisons RESTART IDENTITY"))
    return ShadowStore(database)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What was recorded in the metrics, as they take it."""
    calls: Calls = []
    record = metrics.shadowed

    def shadowed(*args: Any, **kwargs: Any) -> None:
        inspect.signature(record).bind(*args, **kwargs)
        record(*args, **kwargs)
        calls.append((args[0], kwargs))

    monkeypatch.setattr(metrics, "shadowed", shadowed)
    return calls


def query(**given: Any) -> RetrievalQuery:
    whole = {"tenant": "t1", "sources": ("faq", "manual"), "budget": TokenBudget(800, 600, "faq"), **given}
    return RetrievalQuery(QUESTION, **whole)


def answer(
    *doc_ids: str, method: str = "context_retriever", ms: float = 12.5, degraded: bool = False
) -> RetrievalResult:
    trace = Trace(total_ms=ms)
    if degraded:
        trace.degrade("retrieval", "dense", "failed", "bm25")
    nodes = [NodeWithScore(node=TextNode(text=doc_id, metadata={"doc_id": doc_id}), score=1.0) for doc_id in doc_ids]
    return RetrievalResult(
        query=QUESTION,
        tenant="t1",
        nodes=tuple(nodes),
        context="",
        tokens=0,
        token_counter="none",
        method=method,
        analysis=None,
        trace=trace,
    )


def returning(*doc_ids: str, **given: Any) -> Callable[[RetrievalQuery], Awaitable[RetrievalResult]]:
    async def run(query: RetrievalQuery) -> RetrievalResult:
        return answer(*doc_ids, method="production_rag", **given)

    return run


def rows(store: ShadowStore) -> list[dict[str, Any]]:
    with store._database.transaction() as connection:
        found = connection.execute(text("SELECT * FROM rag_app.shadow_comparisons ORDER BY id"))
        return [dict(row) for row in found.mappings()]


@pytest.mark.parametrize(
    ("old", "new", "overlap", "same_first"),
    [
        (("a", "b"), ("b", "c"), 1 / 3, False),
        (("a", "b", "a"), ("a",), 1 / 2, True),
        (("a", "b"), ("b", "a"), 1.0, False),
        (("a",), (), 0.0, False),
        ((), ("a",), 0.0, False),
        ((), (), 1.0, True),
    ],
)
async def test_a_comparison_is_kept_and_counted(
    store: ShadowStore, recorded: Calls, old: tuple[str, ...], new: tuple[str, ...], overlap: float, same_first: bool
) -> None:
    shadow_mode = Shadow(returning(*new, degraded=True), store, deadline_s=5)
    shadow_mode.offer(query(), answer(*old))
    await shadow_mode.aclose()
    (row,) = rows(store)
    new_ms = row["new_ms"]
    assert 0 < new_ms < 1000
    del row["id"], row["at"]
    assert row == {
        "overlap": pytest.approx(overlap),
        "same_first": same_first,
        "old_ms": 12.5,
        "new_ms": new_ms,
        "old_chunks": len(old),
        "new_chunks": len(new),
        "old_degraded": False,
        "new_degraded": True,
    }
    seconds = {"context_retriever": 0.0125, "production_rag": pytest.approx(new_ms / 1000, abs=1e-4)}
    assert recorded == [("compared", {"overlap": overlap, "seconds": seconds, "first_differs": not same_first})]


async def test_the_new_pipeline_gets_a_query_of_its_own_and_the_served_one_stays_as_it_is(
    store: ShadowStore, recorded: Calls
) -> None:
    given: list[RetrievalQuery] = []

    async def run(own: RetrievalQuery) -> RetrievalResult:
        given.append(own)
        own.trace.degrade("rerank", "cross_encoder", "out of time", "lexical")
        own.options = RequestOptions(rerank_top_k=1)
        own.generation = 99
        return answer(method="production_rag")

    asked = query(
        deadline=Deadline.after(0), reading=Reading((), "x"), options=RequestOptions(rerank_top_k=3), generation=7
    )
    served = answer("a", "b")
    before = served.as_dict()
    shadow_mode = Shadow(run, store, deadline_s=5)
    shadow_mode.offer(asked, served)
    await shadow_mode.aclose()
    (own,) = given
    assert (own.query_str, own.tenant, own.sources, own.budget) == (QUESTION, "t1", ("faq", "manual"), asked.budget)
    assert own.reading is None
    assert 4 < own.deadline.remaining() <= 5
    assert own.trace is not asked.trace
    assert (asked.trace, asked.options, asked.generation) == (Trace(), RequestOptions(rerank_top_k=3), 7)
    assert served.as_dict() == before
    assert not served.degraded


async def test_an_offer_takes_no_time_though_the_new_pipeline_hangs(
    store: ShadowStore, recorded: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "_CLOSING_S", 0.05)
    ended = []

    async def hang(query: RetrievalQuery) -> RetrievalResult:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(query)
        return answer()

    shadow_mode = Shadow(hang, store, max_in_flight=10, deadline_s=60)
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        shadow_mode.offer(query(), answer("a"))
        seconds.append(time.perf_counter() - started)
    assert statistics.median(seconds[:10]) < 0.001
    started = time.monotonic()
    await shadow_mode.aclose()
    assert time.monotonic() - started < 20  # a run takes a minute
    assert len(ended) == 10
    assert [outcome for outcome, _ in recorded] == ["skipped"] * 10
    assert rows(store) == []


async def test_no_more_run_at_once_than_may(store: ShadowStore, recorded: Calls) -> None:
    go = asyncio.Event()
    in_flight: list[int] = []
    running = 0

    async def wait(query: RetrievalQuery) -> RetrievalResult:
        nonlocal running
        running += 1
        in_flight.append(running)
        await go.wait()
        running -= 1
        return answer(method="production_rag")

    shadow_mode = Shadow(wait, store, max_in_flight=2, deadline_s=5)
    for _ in range(5):
        shadow_mode.offer(query(), answer())
    await asyncio.sleep(0)
    assert in_flight == [1, 2]
    assert recorded == [("skipped", {})] * 3
    go.set()
    await asyncio.wait(shadow_mode._running)
    assert len(rows(store)) == 2
    shadow_mode.offer(query(), answer())
    await shadow_mode.aclose()
    assert [outcome for outcome, _ in recorded] == ["skipped"] * 3 + ["compared"] * 3


async def test_a_run_that_raises_is_counted_and_logged_without_a_word_of_the_customers(
    store: ShadowStore, recorded: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(query: RetrievalQuery) -> RetrievalResult:
        raise RuntimeError(f"can not read {query.query_str}")

    shadow_mode = Shadow(fail, store, deadline_s=5)
    shadow_mode.offer(query(), answer("a"))
    await shadow_mode.aclose()
    assert recorded == [("failed", {})]
    assert caplog.messages == ["shadow: the new pipeline was not compared: RuntimeError"]
    assert caplog.records[0].exc_info is None
    assert rows(store) == []


async def test_a_run_that_does_not_stop_at_its_deadline_is_ended(
    store: ShadowStore, recorded: Calls, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "_GRACE_S", 0.02)

    async def hang(query: RetrievalQuery) -> RetrievalResult:
        await asyncio.sleep(60)
        return answer()

    shadow_mode = Shadow(hang, store, deadline_s=0.02)
    shadow_mode.offer(query(), answer())
    await shadow_mode.aclose()
    assert recorded == [("failed", {})]
    assert caplog.messages == ["shadow: the new pipeline was not compared: TimeoutError"]


async def test_a_store_that_does_not_answer_is_logged_and_the_metrics_have_the_comparison(
    recorded: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    gone = ShadowStore(Database("postgresql://postgres@127.0.0.1:1/none", connect_timeout_s=1))
    shadow_mode = Shadow(returning("a"), gone, deadline_s=5)
    shadow_mode.offer(query(), answer("a"))
    await shadow_mode.aclose()
    assert [outcome for outcome, _ in recorded] == ["compared"]
    assert caplog.messages == ["shadow: a comparison was not stored: DatabaseUnavailableError"]
    with pytest.raises(DatabaseUnavailableError):
        gone.summary(1)
    gone._database.engine.dispose()


async def test_a_slow_store_blocks_nobody(database: Database, recorded: Calls) -> None:
    class Slow(ShadowStore):
        def add(self, comparison: Comparison) -> None:
            time.sleep(0.3)

    shadow_mode = Shadow(returning("a"), Slow(database), deadline_s=5)
    async with heartbeat() as beats:
        shadow_mode.offer(query(), answer("a"))
        await shadow_mode.aclose()
    assert len(beats) > 10


def test_an_offer_without_a_loop_or_with_a_broken_answer_raises_nothing(
    store: ShadowStore, recorded: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    async def offer(shadow_mode: Shadow) -> None:
        broken = answer("a")
        broken.nodes[0].node.metadata.clear()
        shadow_mode.offer(query(), broken)
        await shadow_mode.aclose()

    shadow_mode = Shadow(returning("a"), store, deadline_s=5)
    shadow_mode.offer(query(), answer("a"))
    asyncio.run(offer(shadow_mode))
    assert recorded == [("failed", {})] * 2
    assert [message.rsplit(" ", 1)[-1] for message in caplog.messages] == ["RuntimeError", "KeyError"]


async def test_closing_waits_for_what_is_nearly_done_and_starts_nothing_more(
    store: ShadowStore, recorded: Calls
) -> None:
    async def work(query: RetrievalQuery) -> RetrievalResult:
        await asyncio.sleep(0.05)
        return answer(method="production_rag")

    shadow_mode = Shadow(work, store, max_in_flight=5, deadline_s=5)
    shadow_mode.offer(query(), answer())
    await shadow_mode.aclose()
    assert len(rows(store)) == 1
    shadow_mode.offer(query(), answer())
    await shadow_mode.aclose()
    assert [outcome for outcome, _ in recorded] == ["compared", "skipped"]


def test_the_pipeline_itself_agrees_with_itself(
    app: RagApp, store: ShadowStore, recorded: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    asked = query(tenant=SAMPLE_TENANT, sources=None, deadline=Deadline.after(30))
    served = app.loop.call(app.pipeline.arun, asked)
    before = served.as_dict()

    async def compare() -> None:
        shadow_mode = Shadow(app.pipeline.arun, store, deadline_s=30)
        shadow_mode.offer(asked, served)
        await asyncio.wait(shadow_mode._running)

    app.loop.call(compare)
    (row,) = rows(store)
    assert (row["overlap"], row["same_first"]) == (1.0, True)
    assert row["old_chunks"] == row["new_chunks"] == len(served.nodes) > 0
    assert served.as_dict() == before
    assert caplog.messages == []


def comparison(**given: Any) -> Comparison:
    return Comparison(
        **{
            "overlap": 0.5,
            "same_first": True,
            "old_ms": 100.0,
            "new_ms": 200.0,
            "old_chunks": 1,
            "new_chunks": 6,
            "old_degraded": False,
            "new_degraded": False,
            **given,
        }
    )


FOUR = [
    Comparison(1.0, True, 100, 10, 2, 5, old_degraded=False, new_degraded=True),
    Comparison(0.5, False, 200, 20, 0, 6, old_degraded=False, new_degraded=True),
    Comparison(0.0, False, 300, 30, 3, 0, old_degraded=True, new_degraded=False),
    Comparison(0.5, False, 400, 1000, 0, 0, old_degraded=False, new_degraded=False),
]


def test_the_summary_has_the_figures_computed_by_hand(store: ShadowStore) -> None:
    for each in FOUR:
        store.add(each)
    assert store.summary(24) == ShadowSummary(
        hours=24,
        comparisons=4,
        overlap=0.5,
        same_first=0.25,
        context_retriever=PipelineSummary(250, pytest.approx(385), 1.25, alone_empty=0.25, degraded=0.25),
        production_rag=PipelineSummary(25, pytest.approx(854.5), 2.75, alone_empty=0.25, degraded=0.5),
    )


def test_the_summary_goes_back_only_so_far(store: ShadowStore) -> None:
    assert store.summary(24) is None
    for overlap in (0.0, 1.0):
        store.add(comparison(overlap=overlap))
    with store._database.transaction() as connection:
        connection.execute(text("UPDATE rag_app.shadow_comparisons SET at = now() - interval '2 hours' WHERE id = 1"))
    last, both = store.summary(1.5), store.summary(2.5)
    assert last is not None
    assert both is not None
    assert (last.comparisons, last.overlap) == (1, 1.0)
    assert (both.comparisons, both.overlap) == (2, 0.5)


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), 1e9])
def test_hours_that_mean_nothing_are_refused(store: ShadowStore, hours: float) -> None:
    with pytest.raises(InvalidInputError, match="hours must be above 0 and at most 87600, not"):
        store.summary(hours)


def test_the_oldest_are_deleted_now_and_then(store: ShadowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow_store, "_PRUNE_EVERY", 10)
    small = ShadowStore(store._database, keep=15)
    deletions = []

    def note(*arguments: Any) -> None:
        if arguments[2].lstrip().startswith("DELETE"):
            deletions.append(arguments[2])

    event.listen(store._database.engine, "before_cursor_execute", note)
    kept = []
    for _ in range(30):
        small.add(comparison())
        kept.append(len(rows(store)))
    event.remove(store._database.engine, "before_cursor_execute", note)
    assert (kept[9], kept[18], kept[19], kept[28], kept[29]) == (10, 19, 15, 24, 15)
    assert [row["id"] for row in rows(store)] == list(range(16, 31))
    assert len(deletions) == 3
