"""Requests take turns, so that each has enough of the processors to end in time."""

from __future__ import annotations

import asyncio

import pytest

from rag_app import RagApp, serving
from rag_app.pipeline import RetrievalPipeline
from rag_app.schema import NO_MATCH, RetrievalQuery, RetrievalResult
from rag_app.serving import RetrievalService
from tests.serving import query_of, service_of


class Counting(RetrievalPipeline):
    """Takes its time, and counts how many do at once."""

    def __init__(self, real: RetrievalPipeline, seconds: float) -> None:
        self.writer = real.writer
        self.seconds = seconds
        self.now = self.most = 0

    async def arun(self, query: RetrievalQuery) -> RetrievalResult:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return self.writer.result(query, self.method, (), emptiness=NO_MATCH)


class Together(Counting):
    """Ends no question before four run at once."""

    def __init__(self, real: RetrievalPipeline) -> None:
        super().__init__(real, 0.0)
        self.four = asyncio.Event()

    async def arun(self, query: RetrievalQuery) -> RetrievalResult:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.most == 4:
            self.four.set()
        await self.four.wait()
        return self.writer.result(query, self.method, (), emptiness=NO_MATCH)


def turns_of(app: RagApp, pipeline: Counting, monkeypatch: pytest.MonkeyPatch, at_once: int) -> RetrievalService:
    monkeypatch.setattr(serving, "AT_ONCE", at_once)
    service = service_of(app, production=pipeline)
    service._places = asyncio.Semaphore(at_once)
    service._waiting, service._mean_s = 0, 0.0
    return service


async def all_of(service: RetrievalService, count: int, seconds: float) -> list[RetrievalResult]:
    return await asyncio.gather(*(service.answer(query_of("a", seconds), "production_rag") for _ in range(count)))


def test_so_many_run_at_once_and_the_wait_is_known(app: RagApp, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Counting(app.pipeline, 0.05)
    service = turns_of(app, pipeline, monkeypatch, 2)
    assert service.expected_wait_s == 0
    results = app.loop.call(all_of, service, 8, 30.0)
    assert len(results) == 8
    assert pipeline.most == 2
    assert service.expected_wait_s == 0
    service._waiting = 4
    assert 0.01 < service.expected_wait_s < 1


def test_who_has_waited_for_half_of_its_time_goes_on(app: RagApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LAST_RESORT_S", 10.0)
    pipeline = Together(app.pipeline)
    service = turns_of(app, pipeline, monkeypatch, 1)
    app.loop.call(all_of, service, 4, 0.4)
    assert pipeline.most == 4
    assert service._places._value == 1


async def _given_up(service: RetrievalService) -> None:
    tasks = [asyncio.create_task(service.answer(query_of("a"), "production_rag")) for _ in range(3)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_who_gives_up_leaves_its_place(app: RagApp, monkeypatch: pytest.MonkeyPatch) -> None:
    service = turns_of(app, Counting(app.pipeline, 5), monkeypatch, 1)
    app.loop.call(_given_up, service)
    assert service._places._value == 1
    assert service._waiting == 0
