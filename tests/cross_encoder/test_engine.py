"""Scheduling, deadlines and the life of a model, with scorers whose speed is known."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

from rag_app import breaker
from rag_app.cross_encoder import (
    Choice,
    EngineOptions,
    LoadedModel,
    ModelSpec,
    ScoringEngine,
    acquire_engine,
    release_engine,
    warming,
)
from rag_app.cross_encoder import engine as engine_module
from rag_app.cross_encoder import exit as process_exit
from rag_app.cross_encoder.scorer import Features
from rag_app.errors import ComponentError
from rag_app.schema import Deadline, query
from tests.clock import Clock
from tests.conftest import heartbeat

SPEC = ModelSpec("a model of the tests")


class PacedScorer:
    """Takes a known time for each token, by `clock`; the logit of a pair tells its question and its passage."""

    precision = "fp32"
    device = "cpu"
    megabytes = 1.0
    batch_tokens = 400
    model: Any = "the model"

    def __init__(self, seconds_per_token: float = 0.0, clock: Any = time) -> None:
        self.seconds_per_token = seconds_per_token
        self.clock = clock
        self.batches: list[list[int]] = []
        self.longest_s = 0.0

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
        return [{"input_ids": [len(query), *map(ord, passage)]} for passage in passages]

    def logits(self, batch: Sequence[Features]) -> list[float]:
        lengths = [len(pair["input_ids"]) for pair in batch]
        seconds = len(batch) * max(lengths) * self.seconds_per_token
        self.clock.sleep(seconds)
        self.batches.append(lengths)
        self.longest_s = max(self.longest_s, seconds)
        return [meant(pair["input_ids"]) for pair in batch]


def meant(tokens: list[int]) -> float:
    return tokens[0] + sum(tokens[1:]) / 1e6


def logit(query: str, passage: str) -> float:
    return meant([len(query), *map(ord, passage)])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that engines, breakers and deadlines go by; it goes on by what is scored."""
    clock = Clock()
    for module in (engine_module, warming, breaker, query):
        monkeypatch.setattr(module, "time", clock)
    return clock


def waited(condition: Callable[[], bool]) -> bool:
    """Wait until something holds, and tell whether it does."""
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return condition()


def engine_of(scorer: PacedScorer, **options: Any) -> ScoringEngine:
    def load(spec: ModelSpec) -> LoadedModel:
        return LoadedModel(scorer, Path("folder"), Choice("fp32", "tests", {}))

    return ScoringEngine(SPEC, EngineOptions(**options), load)


def passages(count: int, length: int = 20) -> list[str]:
    return [f"{place:03}".ljust(length + place % 7, "x") for place in range(count)]


def test_everything_is_scored_without_a_deadline_and_pairs_of_a_batch_are_of_like_length() -> None:
    scorer = PacedScorer()
    engine = engine_of(scorer)
    texts = [text * (1 + 9 * (place % 2)) for place, text in enumerate(passages(20))]
    assert engine.score("پرسش", texts) == [logit("پرسش", text) for text in texts]
    spreads = [max(lengths) / min(lengths) for lengths in scorer.batches]
    assert sum(lengths >= 2 for lengths in map(len, scorer.batches)) >= 2
    assert min(spreads) < 1.5


def test_at_the_deadline_the_best_of_the_fused_order_are_scored_and_the_rest_are_not(clock: Clock) -> None:
    scorer = PacedScorer(0.002, clock)  # 40-odd ms for a passage
    engine = engine_of(scorer)
    engine.load()
    texts = passages(40)
    started = clock.monotonic()
    logits = engine.score("پرسش", texts, Deadline.after(0.6))
    assert clock.monotonic() - started <= 0.6 + scorer.longest_s  # all would take three times as long
    scored = [place for place, found in enumerate(logits) if found is not None]
    assert 3 <= len(scored) <= 20
    assert scored[0] == 0
    assert sum(scored) / len(scored) < 15  # from the front of the list
    assert all(logits[place] == logit("پرسش", texts[place]) for place in scored)


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_without_time_nothing_is_scored_and_the_answer_comes_at_once(seconds: float) -> None:
    scorer = PacedScorer()
    engine = engine_of(scorer)
    engine.load()
    scorer.seconds_per_token = 0.01
    started = time.monotonic()
    assert engine.score("پرسش", passages(20), Deadline.after(seconds)) == [None] * 20
    assert time.monotonic() - started < 3  # to score them all takes four


def test_a_pair_is_scored_once_and_remembered_up_to_the_size_of_the_cache() -> None:
    scorer = PacedScorer()
    engine = engine_of(scorer, cache_size=30)
    texts = passages(20)
    first = engine.score("پرسش", texts)
    rounds = len(scorer.batches)
    assert engine.score("پرسش", texts) == first
    assert engine.score("پرسش", texts[::-1]) == first[::-1]
    assert len(scorer.batches) == rounds
    engine.score("پرسشی دیگر", texts)  # pushes the oldest out
    rounds = len(scorer.batches)
    engine.score("پرسش", texts)
    assert len(scorer.batches) > rounds


async def test_requests_are_batched_together_and_each_gets_its_own_scores() -> None:
    scorer = PacedScorer(0.0002)
    engine = engine_of(scorer)
    engine.load()
    queries = ["پ" * (number + 1) for number in range(16)]
    texts = {query: [f"{query} {text}" for text in passages(5)] for query in queries}
    async with heartbeat() as beats:
        found = await asyncio.gather(*(engine.ascore(query, texts[query], Deadline.after(20)) for query in queries))
    assert found == [[logit(query, text) for text in texts[query]] for query in queries]
    assert len(scorer.batches) < 16 * 5 / 3
    assert max(later - earlier for earlier, later in pairwise(beats)) < (beats[-1] - beats[0]) / 2


def test_threads_share_the_model_and_nobody_waits_for_all_of_another_request() -> None:
    scorer = PacedScorer(0.001)
    engine = engine_of(scorer)
    engine.load()
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(engine.score, "بلند", passages(60, 40), Deadline.after(30))
        assert waited(lambda: bool(engine._turns.jobs))
        short = pool.submit(engine.score, "کوتاه", ["یک", "دو"], Deadline.after(30))
        assert short.result() == [logit("کوتاه", "یک"), logit("کوتاه", "دو")]
        assert not long.done()
        assert None not in long.result()


async def test_a_request_that_is_cancelled_is_not_scored_on() -> None:
    scorer = PacedScorer(0.001)
    engine = engine_of(scorer)
    engine.load()
    request = asyncio.create_task(engine.ascore("پرسش", passages(500), Deadline.after(60)))
    await asyncio.sleep(0.1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    done = len(scorer.batches)
    await asyncio.sleep(1.2)
    assert len(scorer.batches) <= done + 1
    assert await engine.ascore("پرسش", ["یک"]) == [logit("پرسش", "یک")]


def test_a_request_with_little_time_does_not_wait_for_a_load_and_one_without_a_deadline_does() -> None:
    may_load = threading.Event()

    def load(spec: ModelSpec) -> LoadedModel:
        may_load.wait(30)
        return LoadedModel(PacedScorer(), Path("folder"), Choice("fp32", "tests", {}))

    engine = ScoringEngine(SPEC, load=load)
    started = time.monotonic()
    with pytest.raises(ComponentError, match="is being loaded") as caught:
        engine.score("پرسش", ["یک"], Deadline.after(2))
    assert 0.99 < time.monotonic() - started < 1.9  # half of its time
    assert caught.value.reason == "loading"
    assert engine.status().state == "loading"
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(engine.score, "پرسش", ["یک"])
        may_load.set()
        assert patient.result(20) == [logit("پرسش", "یک")]
    assert engine.status().state == "ready"


def test_a_load_that_hangs_is_given_up_and_tried_again_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(breaker, "time", clock)
    hangs = threading.Event()
    loads = []

    def load(spec: ModelSpec) -> LoadedModel:
        loads.append(threading.current_thread())
        if len(loads) == 1:
            hangs.wait(30)
        return LoadedModel(PacedScorer(), Path("folder"), Choice("fp32", "tests", {}))

    engine = ScoringEngine(SPEC, EngineOptions(load_timeout_s=0.5, retry_after_s=0.5), load)
    with pytest.raises(ComponentError, match=r"not loaded within 0\.5 s") as caught:
        engine.score("پرسش", ["یک"])
    assert caught.value.reason == "load timed out"
    started = time.monotonic()
    with pytest.raises(ComponentError, match="not loaded within"):
        engine.score("پرسش", ["یک"])  # the breaker is open
    assert time.monotonic() - started < 20  # or it would wait for the load
    assert len(loads) == 1
    clock.sleep(0.55)
    assert engine.score("پرسش", ["یک"]) == [logit("پرسش", "یک")]
    hangs.set()
    loads[0].join(20)
    assert not loads[0].is_alive()  # what it loaded late is not used
    assert engine.status().state == "ready"
    assert loads[0].daemon


def test_a_failing_load_is_tried_again_after_a_while_by_one_request_alone(clock: Clock) -> None:
    loads = []

    def load(spec: ModelSpec) -> LoadedModel:
        loads.append(1)
        raise ComponentError("it is broken", "model files broken")

    engine = ScoringEngine(SPEC, EngineOptions(retry_after_s=0.6), load)
    for _ in range(20):
        with pytest.raises(ComponentError, match="it is broken"):
            engine.score("پرسش", ["یک"], Deadline.after(5))
    assert len(loads) == 1
    status = engine.status()
    assert (status.state, status.error) == ("failed", "it is broken")
    assert status.seconds_to_retry == pytest.approx(0.6)
    clock.sleep(0.65)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(engine.score, "پرسش", ["یک"], Deadline.after(5)) for _ in range(8)]
        assert all(isinstance(one.exception(), ComponentError) for one in asked)
    assert len(loads) == 2


def test_scores_that_are_no_numbers_open_the_breaker_and_the_next_load_mends_it(clock: Clock) -> None:
    class Broken(PacedScorer):
        def logits(self, batch: Sequence[Features]) -> list[float]:
            return [math.nan if pair["input_ids"][1:] == [ord("x")] else 1.0 for pair in batch]

    scorers: list[PacedScorer] = [Broken(), PacedScorer()]

    def load(spec: ModelSpec) -> LoadedModel:
        return LoadedModel(scorers.pop(0), Path("folder"), Choice("fp32", "tests", {}))

    engine = ScoringEngine(SPEC, EngineOptions(retry_after_s=0.1), load)
    assert engine.score("پرسش", ["y"]) == [1.0]
    with pytest.raises(ComponentError, match="no numbers") as caught:
        engine.score("پرسش", ["x"])
    assert caught.value.reason == "invalid scores"
    clock.sleep(0.15)
    assert engine.score("پرسش", ["x", "y"]) == [logit("پرسش", "x"), logit("پرسش", "y")]  # and 1.0 is forgotten


def test_a_text_that_can_not_be_tokenised_fails_its_own_request_alone() -> None:
    class Picky(PacedScorer):
        def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
            if "\ud800" in "".join(passages):
                raise TypeError
            return super().tokenize(query, passages)

    engine = engine_of(Picky())
    with pytest.raises(ComponentError, match="can not be tokenised") as caught:
        engine.score("پرسش", ["\ud800"])
    assert caught.value.reason == "text not tokenised"
    assert engine.score("پرسش", ["یک"]) == [logit("پرسش", "یک")]


def test_closing_gives_the_model_back_and_answers_who_waits() -> None:
    scorer = PacedScorer(0.001)
    engine = engine_of(scorer)
    engine.load()
    assert engine.status().megabytes == 1.0
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(engine.score, "پرسش", passages(500), Deadline.after(60))
        assert waited(lambda: bool(engine._turns.jobs))
        engine.close()
        assert None in waiting.result(20)
    assert engine.model is None
    with pytest.raises(ComponentError, match="was closed"):
        engine.score("پرسش", ["یک"])
    assert engine.load().state == "failed"


def test_one_slow_moment_does_not_keep_requests_from_being_scored_for_ever(clock: Clock) -> None:
    scorer = PacedScorer(0.0001, clock)
    engine = engine_of(scorer)
    engine.load()
    scorer.seconds_per_token = 0.01
    for number in range(12):
        engine.score("پرسش", [f"{number:02}" * 10], Deadline.after(0.3))  # takes .21 s
    scorer.seconds_per_token = 0.0001
    scored = [engine.score("پرسش", [f"{number:03}" * 100], Deadline.after(0.1))[0] for number in range(60)]
    assert scored[0] is None
    assert scored[-1] is not None


def test_out_of_memory_while_scoring_says_what_to_do() -> None:
    class Hungry(PacedScorer):
        def logits(self, batch: Sequence[Features]) -> list[float]:
            if len(batch[0]["input_ids"]) < 5:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
            return super().logits(batch)

    engine = engine_of(Hungry())
    with pytest.raises(
        ComponentError, match=r"smaller model .* fewer candidates \(retrieval\.fusion_top_k\)"
    ) as caught:
        engine.score("پرسش", ["یک"])
    assert caught.value.reason == "out of memory"


@pytest.fixture
def end_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Does what the end of the process does, to what the test made; other tests go on with theirs."""
    others = acquire_engine(SPEC)
    monkeypatch.setattr(process_exit, "_engines", WeakSet())
    monkeypatch.setattr(process_exit, "_threads", WeakSet())
    yield process_exit.stop_all
    assert others.status().state == "not loaded"  # a closed one has failed, for whoever shares it
    release_engine(others)


@pytest.mark.parametrize("closed", [False, True])
def test_the_end_of_the_process_waits_for_the_batch_that_runs(closed: bool, end_process: Callable[[], None]) -> None:
    scorer = PacedScorer(0.001)
    engine = engine_of(scorer)
    engine.load()
    thread = next(thread for thread in threading.enumerate() if thread is engine._thread)
    engine.score("پرسش", passages(20, 100), Deadline.after(0.3))
    if closed:
        engine.close()
    end_process()
    assert not thread.is_alive()


async def test_failures_leave_no_futures_that_nobody_asked(caplog: pytest.LogCaptureFixture) -> None:
    def load(spec: ModelSpec) -> LoadedModel:
        time.sleep(0.05)
        raise ComponentError("it is broken", "model files broken")

    engine = ScoringEngine(SPEC, load=load)
    asked = [engine.ascore("پرسش", ["یک"], Deadline.after(5)) for _ in range(5)]
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["it is broken"] * 5
    assert len({id(failure) for failure in failures}) == 5  # else each would carry the frames of all
    gc.collect()
    assert "never retrieved" not in caplog.text
