"""Thousands of requests while each component fails, hangs or answers rubbish now and then, independently of the others.

No exception may escape, answers are there where documents are, requests end at their deadline, and each fault is noted
once: what each request's trace and the metric `rag_degradations_total` say is compared with what was injected.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from injection import Fault, Injector, faulty_service, injected
from prometheus_client import REGISTRY

from rag_app import RagApp
from rag_app.postprocessors import LexicalRerank
from rag_app.schema import Deadline, RetrievalQuery, RetrievalResult, TokenBudget
from rag_app.serving import RetrievalService
from rag_app.trace import Degradation

INSTITUTE = Path(__file__).parent.parent.parent / "examples" / "institute"
TENANT = "faults"


@dataclass
class Report:
    """What came of the requests; times in milliseconds.

    Attributes:
        not_tried: degradations because a component had kept failing.
        out_of_time: time-outs of components into which nothing was injected, for want of processor time.
        noted: degradations in the traces; `counted`: by the metric.
        miscounted: requests with a fault that was not noted just once.
    """

    requests: int
    faults: int
    escaped: int = 0
    empty: int = 0
    late: int = 0
    deadline_ms: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    by_fault: dict[str, int] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    rerankers: dict[str, int] = field(default_factory=dict)
    not_tried: int = 0
    out_of_time: int = 0
    noted: int = 0
    counted: int = 0
    miscounted: int = 0


@dataclass(frozen=True)
class Asked:
    """What is kept of a request; results would fill the memory, and the garbage collector would walk them."""

    seconds: float
    faults: Sequence[Fault]
    method: str
    reranker: str
    chunks: int
    noted: Sequence[Degradation]

    @classmethod
    def of(cls, result: RetrievalResult, faults: Sequence[Fault], seconds: float) -> Asked:
        """Return what is kept of a result."""
        trace = result.trace
        return cls(
            seconds, tuple(faults), result.method, trace.reranker or "none", len(result.nodes), trace.degradations
        )


async def ask(
    service: RetrievalService, questions: Sequence[str], requests: int, deadline_s: float
) -> tuple[list[Asked], int]:
    """Ask some questions, four at a time, each as a task of its own, and count the exceptions that escape."""
    places = asyncio.Semaphore(4)
    asked: list[Asked] = []
    escaped: list[Exception] = []

    async def one(question: str) -> None:
        async with places:
            faults: list[Fault] = []
            injected.set(faults)
            query = RetrievalQuery(
                question, tenant=TENANT, budget=TokenBudget(800, 600), deadline=Deadline.after(deadline_s)
            )
            started = time.perf_counter()
            try:
                result = await service.answer(query, "production_rag")
            except Exception as error:  # noqa: BLE001 - it is what is measured
                escaped.append(error)
                return
            asked.append(Asked.of(result, faults, time.perf_counter() - started))

    chosen = random.Random(1).choices(questions, k=requests)  # noqa: S311 - nothing secret
    async with asyncio.TaskGroup() as tasks:
        for question in chosen:
            tasks.create_task(one(question))
    return asked, len(escaped)


def measure(
    app: RagApp, questions: Sequence[str], *, requests: int, rate: float, deadline_s: float, seed: int = 0
) -> Report:
    """Ask `requests` questions of a service whose components each fail at this rate, and judge the answers."""
    rerankers = {"cross_encoder": LexicalRerank(top_n=20), "lexical": LexicalRerank(top_n=20)}
    service = faulty_service(app, Injector(rate, 3 * deadline_s, seed), rerankers, leg_timeout_s=deadline_s / 2)
    app.loop.call(ask, app.service, questions, 8, deadline_s)  # what loads on first use
    before = _counted()
    asked, escaped = app.loop.call(ask, service, questions, requests, deadline_s)
    report = Report(requests, sum(len(one.faults) for one in asked), escaped, deadline_ms=deadline_s * 1000)
    report.counted = round(_counted() - before)
    report.by_fault = dict(Counter(f"{fault.component} {fault.kind}" for one in asked for fault in one.faults))
    report.methods = dict(Counter(one.method for one in asked))
    report.rerankers = dict(Counter(one.reranker for one in asked))
    for one in asked:
        as_injected, out_of_time = judge(one.faults, one.noted)
        report.late += one.seconds > deadline_s + 0.1
        report.empty += not one.chunks
        report.noted += len(one.noted)
        report.not_tried += sum(entry.reason == "not tried" for entry in one.noted)
        report.miscounted += not as_injected
        report.out_of_time += out_of_time
    times = sorted(one.seconds * 1000 for one in asked)
    report.p50_ms, report.p99_ms, report.max_ms = times[len(times) // 2], times[int(len(times) * 0.99)], times[-1]
    return report


def judge(faults: Sequence[Fault], noted: Sequence[Degradation]) -> tuple[bool, int]:
    """Return whether each fault is noted once and nothing else is, and how many time-outs nobody injected.

    Foreign chunks of a leg are noticed once, in the fused list. A component that was not tried is no fault.
    """
    expected = Counter(fault.component for fault in faults if not _in_fused_list(fault))
    expected.update({"tenant check"} if any(map(_in_fused_list, faults)) else ())
    seen = Counter(entry.component for entry in noted if entry.reason != "not tried")
    late = Counter(entry.component for entry in noted if entry.reason == "TimeoutError") - expected
    return expected == seen - late, late.total()


def _in_fused_list(fault: Fault) -> bool:
    return fault.kind == "foreign chunks" and fault.component in ("dense", "bm25")


def _counted() -> float:
    samples = [
        sample for metric in REGISTRY.collect() if metric.name == "rag_degradations" for sample in metric.samples
    ]
    return sum(sample.value for sample in samples if sample.name == "rag_degradations_total")


def questions_of_the_sample() -> list[str]:
    """Return the support questions over the sample knowledge base."""
    lines = (INSTITUTE / "support" / "queries.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def opened(folder: str, **settings: Any) -> RagApp:
    """Open an application that holds the sample knowledge base."""
    app = RagApp.from_config(data_dir=folder, **settings)
    app.ingest(INSTITUTE / "documents", tenant=TENANT)
    return app


def main() -> None:
    """Measure, print the report, and fail if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0.05, help="how often each component fails")
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with TemporaryDirectory() as folder, opened(folder, deadline_s=given.deadline) as app:
        report = measure(
            app,
            questions_of_the_sample(),
            requests=given.requests,
            rate=given.rate,
            deadline_s=given.deadline,
            seed=given.seed,
        )
    print(json.dumps(asdict(report), indent=2))
    kept = report.p99_ms <= report.deadline_ms + 100
    if report.escaped or report.empty > report.requests / 1000 or not kept or report.miscounted:
        sys.exit("a bar is missed")


if __name__ == "__main__":
    main()
