"""What flags, metrics, trace and log add to a request.

A stand-in for the pipeline does nothing but record what a real request records: four stages, 35 candidates with their
places, three words. Around it everything is real: the flags are evaluated from a store in PostgreSQL, each metric is
recorded, and the line is written to a file. Whole requests, with and without all that around the same pipeline, are
timed in turn beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rag_app import RagApp
from rag_app.pipeline import RetrievalPipeline
from rag_app.schema import Deadline, RetrievalQuery, RetrievalResult, TokenBudget
from rag_app.trace import STAGES, ChunkTrace, Ranked, WordTrace

INSTITUTE = Path(__file__).parent.parent / "examples" / "institute"
TENANT = "bench"
CANDIDATES = 35


class Recording(RetrievalPipeline):
    """Records a request as the real pipeline does, and answers with chunks that were found before."""

    def __init__(self, answer: RetrievalResult, real: RetrievalPipeline) -> None:
        self._answer = answer
        self.writer = real.writer

    async def arun(self, query: RetrievalQuery) -> RetrievalResult:
        """Fill the query's trace; the chunks and their text are the same for every query."""
        trace = query.trace
        for name in STAGES:
            with trace.stage(name) as stage:
                stage.candidates = CANDIDATES
        trace.words = [WordTrace(word, word, 1.0, {word: 1.0}) for word in ("یک", "دو", "سه")]
        for rank in range(1, CANDIDATES + 1):
            chunk = trace.chunks.setdefault(str(rank), ChunkTrace(str(rank), "document", "faq", "title"))
            chunk.legs["dense"] = chunk.fusion = chunk.rerank = Ranked(rank, 1 / rank)
            trace.drop(str(rank), "context", "below the best 8")
        trace.reranker, trace.reranker_reason = "lexical", "configured"
        return replace(self._answer, trace=trace)


def query_of(text: str) -> RetrievalQuery:
    """Return a request for the sample's tenant."""
    return RetrievalQuery(text, tenant=TENANT, budget=TokenBudget(800, 600), deadline=Deadline.after(10))


async def around(app: RagApp, answer: RetrievalResult, texts: Sequence[str], calls: int) -> list[float]:
    """Return the milliseconds of each call of the service around the stand-in."""
    service = copy.copy(app.service)
    service.production = Recording(answer, app.pipeline)
    taken = []
    for call in range(calls):
        query = query_of(texts[call % len(texts)])
        started = time.perf_counter()
        result = await service.answer(query, "by_flags")
        taken.append((time.perf_counter() - started) * 1000)
        assert result.method == "production_rag"  # noqa: S101 - else it would not be what is to be measured
        await asyncio.sleep(0)
    return taken


async def whole(app: RagApp, texts: Sequence[str], calls: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of requests with the service around the real pipeline and without it, in turn."""
    with_service: list[float] = []
    alone: list[float] = []
    for call in range(calls):
        text = texts[call % len(texts)]
        query, started = query_of(text), time.perf_counter()
        await app.service.answer(query, "by_flags")
        with_service.append((time.perf_counter() - started) * 1000)
        query, started = query_of(text), time.perf_counter()
        await app.pipeline.arun(query)
        alone.append((time.perf_counter() - started) * 1000)
    return with_service, alone


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99."""
    ordered = sorted(milliseconds)
    return {f"p{share}": round(ordered[int(len(ordered) * share / 100)], 3) for share in (50, 95, 99)}


def measure(app: RagApp, texts: Sequence[str], *, calls: int, whole_calls: int) -> dict[str, dict[str, float]]:
    """Return the percentiles, in milliseconds, of what is around a request, and of whole requests."""
    app.flags.set("production_rag", True, changed_by="benchmark")
    answer = app.retrieve(texts[0], tenant=TENANT)
    app.loop.call(around, app, answer, texts, 100)  # what is made on first use
    added = app.loop.call(around, app, answer, texts, calls)
    with_service, alone = app.loop.call(whole, app, texts, whole_calls)
    return {
        "around a stand-in": percentiles(added),
        "whole requests": percentiles(with_service),
        "the pipeline alone": percentiles(alone),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--whole-calls", type=int, default=300)
    given = parser.parse_args()
    lines = (INSTITUTE / "questions.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    with TemporaryDirectory() as folder:
        logging.basicConfig(filename=Path(folder) / "rag_app.log", level=logging.INFO)
        with RagApp.from_config(data_dir=Path(folder) / "data", deadline_s=10) as app:
            app.ingest(INSTITUTE / "documents", tenant=TENANT)
            found = measure(app, texts, calls=given.calls, whole_calls=given.whole_calls)
        written = (Path(folder) / "rag_app.log").read_text("utf-8").count("ProductionRAG request=")
    for name, times in found.items():
        print(f"{name:<20}" + "  ".join(f"{share} {value:.3f} ms" for share, value in times.items()))
    print(f"lines in the log: {written}")


if __name__ == "__main__":
    main()
