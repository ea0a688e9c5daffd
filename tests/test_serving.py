"""What serves when something fails, and who is told: the result, the metrics and one line in the log."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from prometheus_client import REGISTRY

from rag_app import RagApp
from rag_app.flags import FlagService, MemoryFlagStore
from rag_app.retrievers import HybridRetriever
from rag_app.schema import RetrievalQuery, RetrievalResult
from rag_app.simple_pipeline import SimplePipeline
from tests.conftest import SAMPLE_TENANT
from tests.serving import pipeline_of, query_of, serve, service_of

QUESTION = "استراداد شهریه بعد جلسه دوم چند درسده؟"


class Leg(BaseRetriever):
    """A leg that raises, hangs, or answers what it is told."""

    def __init__(self, answer: Any = None, *, error: Exception | None = None, wait_s: float = 0.0) -> None:
        super().__init__()
        self.answer, self.error, self.wait_s, self.asked = answer, error, wait_s, 0

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise NotImplementedError

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise NotImplementedError

    async def aretrieve(self, str_or_query_bundle: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(self.wait_s)
        if self.error is not None:
            raise self.error
        return self.answer


def legs_of(app: RagApp, timeout_s: float = 20, **legs: BaseRetriever) -> HybridRetriever:
    return HybridRetriever({**app.pipeline.retriever.legs, **legs}, app.loop, leg_timeout_s=timeout_s)


def both(app: RagApp, make: Callable[[], Leg], timeout_s: float = 20) -> HybridRetriever:
    return legs_of(app, timeout_s, dense=make(), bm25=make())


def simple_with(app: RagApp, retriever: BaseRetriever) -> SimplePipeline:
    simple = app.service.simple
    return SimplePipeline(catalog=simple.catalog, retriever=retriever, budget=simple.budget, writer=simple.writer)


def noted(result: RetrievalResult) -> list[tuple[str, str]]:
    return [(entry.component, entry.reason) for entry in result.trace.degradations]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


FOREIGN = NodeWithScore(node=TextNode(id_="f", text="words of another", metadata={"tenant": "another"}), score=0.9)
BROKEN: dict[str, tuple[Callable[[], Leg], str]] = {
    "raises": (lambda: Leg(error=RuntimeError("words of a customer")), "RuntimeError"),
    "nothing": (lambda: Leg(None), "invalid answer"),
    "words": (lambda: Leg("rubbish"), "invalid answer"),
    "no numbers": (lambda: Leg([NodeWithScore(node=TextNode(text="x"), score=float("nan"))]), "invalid answer"),
}


@pytest.mark.parametrize("way", BROKEN)
def test_one_leg_down_and_the_other_answers(app: RagApp, way: str) -> None:
    make, reason = BROKEN[way]
    result = serve(
        app, service_of(app, production=pipeline_of(app, retriever=legs_of(app, dense=make()))), query_of(QUESTION)
    )
    assert (result.method, result.variant, result.variant_reason) == ("production_rag", "production_rag", "CALLED")
    assert result.nodes
    assert noted(result) == [("dense", reason)]


@pytest.mark.parametrize("way", BROKEN)
def test_both_legs_down_and_the_context_retriever_answers(app: RagApp, way: str) -> None:
    make, reason = BROKEN[way]
    result = serve(app, service_of(app, production=pipeline_of(app, retriever=both(app, make))), query_of(QUESTION))
    assert (result.method, result.variant) == ("context_retriever", "production_rag")
    assert result.nodes
    assert result.context == app.retrieve(QUESTION, tenant=SAMPLE_TENANT, method="context_retriever").context
    assert noted(result) == [("dense", reason), ("bm25", reason)]
    assert [stage.name for stage in result.trace.stages] == ["query_analysis", "retrieval", "fallback"]
    assert result.analysis is not None
    assert result.reason is None
    places = sorted(chunk.context for chunk in result.trace.chunks.values() if chunk.context)
    assert places == list(range(1, len(result.nodes) + 1))


def test_foreign_chunks_alone_are_as_good_as_none(app: RagApp) -> None:
    production = pipeline_of(app, retriever=both(app, lambda: Leg([FOREIGN])))
    result = serve(app, service_of(app, production=production), query_of(QUESTION))
    assert (result.method, noted(result)) == ("context_retriever", [("tenant check", "foreign chunks")])
    assert "words of another" not in result.context


def test_the_context_retriever_down_too_is_an_empty_well_formed_result(app: RagApp) -> None:
    production = pipeline_of(app, retriever=both(app, BROKEN["raises"][0]))
    for answer, reason in ((Leg(error=OSError()), "OSError"), (Leg([FOREIGN]), "invalid answer")):
        result = serve(app, service_of(app, production=production, simple=simple_with(app, answer)), query_of(QUESTION))
        assert (result.nodes, result.context, result.tokens) == ((), "", 0)
        assert result.reason == "retrieval failed: every leg did, the first by RuntimeError"
        assert noted(result)[-1] == ("context_retriever", reason)
        assert len(noted(result)) == 3
        assert result.as_dict()["chunks"] == []


def test_everything_that_hangs_ends_at_the_one_deadline(app: RagApp) -> None:
    async def hanging(*_: object) -> None:
        await asyncio.sleep(30)

    class Catalog:
        asnapshot = staticmethod(hanging)

    production = pipeline_of(
        app, read=hanging, catalog=Catalog(), retriever=both(app, lambda: Leg(wait_s=30), timeout_s=1.0)
    )
    service = service_of(app, production=production, simple=simple_with(app, Leg(wait_s=30)))
    started = time.monotonic()
    result = serve(app, service, query_of(QUESTION, seconds=1.5))
    assert time.monotonic() - started < 2.8  # one after the other they would take three
    assert [component for component, _ in noted(result)] == [
        "catalog",
        "vocabulary",
        "dense",
        "bm25",
        "context_retriever",
    ]
    assert {reason for _, reason in noted(result)} == {"TimeoutError"}
    assert result.reason


def test_legs_that_hang_leave_the_fallback_its_time(app: RagApp) -> None:
    production = pipeline_of(app, retriever=both(app, lambda: Leg(wait_s=30), timeout_s=1.0))
    result = serve(app, service_of(app, production=production), query_of(QUESTION, seconds=8.0))
    assert result.nodes
    assert result.method == "context_retriever"


def test_a_catalog_that_fails_costs_nothing_but_what_it_knows(app: RagApp) -> None:
    class Broken:
        async def asnapshot(self, tenant: str) -> None:
            raise RuntimeError

    result = serve(app, service_of(app, production=pipeline_of(app, catalog=Broken())), query_of(QUESTION))
    assert result.method == "production_rag"
    assert [node.node.node_id for node in result.nodes] == [
        node.node.node_id for node in app.retrieve(QUESTION, tenant=SAMPLE_TENANT).nodes
    ]
    assert noted(result) == [("catalog", "RuntimeError")]


def test_a_pipeline_that_raises_all_the_same_is_made_up_for(app: RagApp) -> None:
    class Raising:
        method = "production_rag"
        writer = app.pipeline.writer

        async def arun(self, query: RetrievalQuery) -> None:
            raise KeyError("words of a customer")

    result = serve(app, service_of(app, production=Raising()), query_of(QUESTION))
    assert result.nodes
    assert noted(result) == [("production_rag", "KeyError")]


def test_a_leg_that_keeps_failing_is_not_tried_for_a_while_and_then_by_one_request(app: RagApp) -> None:
    leg = Leg(error=RuntimeError())
    retriever = legs_of(app, dense=leg)
    service = service_of(app, production=pipeline_of(app, retriever=retriever))
    results = [serve(app, service, query_of(QUESTION)) for _ in range(8)]
    assert leg.asked == 5
    assert [noted(result)[0][1] for result in results] == ["RuntimeError"] * 5 + ["not tried"] * 3
    assert all(result.nodes for result in results)
    leg.error, leg.answer = None, []
    retriever._breakers["dense"]._retry_at = 0.0  # the while is over
    assert not serve(app, service, query_of(QUESTION)).degraded
    assert leg.asked == 6


@pytest.mark.parametrize("method", ["production_rag", "context_retriever"])
def test_an_empty_tenant_is_no_failure(app: RagApp, tenant: str, method: Any) -> None:
    result = serve(app, app.service, query_of(QUESTION, tenant=tenant), method)
    assert (result.method, result.failure, result.nodes) == (method, None, ())
    assert result.reason
    assert not result.degraded


def test_each_degradation_and_each_run_is_counted_once(app: RagApp) -> None:
    def counts() -> list[float]:
        return [
            value("rag_degradations_total", stage="retrieval", component="dense", reason="RuntimeError"),
            value("rag_retrieval_total", method="production_rag", primary_source="all"),
            value("rag_retrieval_total", method="context_retriever", primary_source="all"),
            value("rag_errors_total", method="production_rag", error_type="RuntimeError"),
            value("rag_retrieval_latency_seconds_count", method="production_rag"),
            value("rag_query_complexity_count"),
        ]

    before = counts()
    production = pipeline_of(app, retriever=both(app, BROKEN["raises"][0]))
    serve(app, service_of(app, production=production), query_of(QUESTION))
    assert [after - earlier for after, earlier in zip(counts(), before, strict=True)] == [1, 1, 1, 1, 1, 1]


def test_a_request_is_one_line_in_the_log_without_its_words(app: RagApp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    serve(app, app.service, query_of(QUESTION))
    serve(app, app.service, query_of(QUESTION), "context_retriever")
    new, old = (record for record in caplog.records if record.name == "rag_app.serving")
    assert new.levelname == old.levelname == "INFO"
    assert new.getMessage().startswith("ProductionRAG request=")
    assert old.getMessage().startswith("ContextRetriever request=")
    assert " Rerank=lexical " in f"{new.getMessage()} "
    fields = dict(field.split("=") for field in new.getMessage().split()[1:])
    assert fields["tenant"] == SAMPLE_TENANT
    assert {"query_analysis_ms", "retrieval_ms", "rerank_ms", "context_ms", "latency_ms"} <= fields.keys()
    assert float(fields["latency_ms"]) > float(fields["retrieval_ms"])
    assert "شهریه" not in caplog.text


def test_a_request_that_fell_back_is_a_warning_that_says_why(app: RagApp, caplog: pytest.LogCaptureFixture) -> None:
    production = pipeline_of(app, retriever=both(app, BROKEN["raises"][0]))
    serve(app, service_of(app, production=production), query_of(QUESTION))
    (line,) = [record for record in caplog.records if record.name == "rag_app.serving"]
    assert line.levelname == "WARNING"
    assert 'degraded="dense:RuntimeError,bm25:RuntimeError"' in line.getMessage()
    assert "method=context_retriever variant=production_rag" in line.getMessage()
    assert "words of a customer" not in caplog.text


def test_the_question_is_logged_only_where_that_is_switched_on(app: RagApp, caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(app)
    service._log_query_text = True
    serve(app, service, query_of("سلام\nrequest=forged"))
    assert "سلام" not in caplog.text
    caplog.set_level(logging.DEBUG)
    serve(app, service, query_of("سلام\nrequest=forged"))
    (line,) = [record.getMessage() for record in caplog.records if "سلام" in record.getMessage()]
    assert "\n" not in line
    assert 'query="سلام\\nrequest=forged"' in line


class Exploding(logging.Handler):
    def handle(self, record: logging.LogRecord) -> bool:
        raise OSError("the disk is full")


def test_a_broken_log_sink_costs_no_answer(app: RagApp) -> None:
    root, handler = logging.getLogger("rag_app"), Exploding()
    production = pipeline_of(app, retriever=both(app, BROKEN["raises"][0]))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        assert serve(app, app.service, query_of(QUESTION)).nodes
        assert not serve(app, app.service, query_of(QUESTION)).degraded
        assert serve(app, service_of(app, production=production), query_of(QUESTION)).nodes
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def test_broken_flags_cost_no_answer(app: RagApp) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionError

    result = serve(app, service_of(app, flags=Broken()), query_of(QUESTION), "by_flags")
    assert (result.method, result.variant_reason) == ("context_retriever", "ERROR")
    assert result.nodes
    assert noted(result) == [("routing", "ConnectionError")]
    result = serve(app, service_of(app, flags=Broken()), query_of(QUESTION))
    assert result.method == "production_rag"
    assert result.nodes
    assert noted(result) == [("options", "ConnectionError")]


def test_the_old_pipeline_serves_and_the_new_one_runs_in_its_shadow(app: RagApp) -> None:
    flags = FlagService(MemoryFlagStore())
    flags.set("production_rag_shadow_percentage", 100)
    service = service_of(app, flags=flags)
    compared = value("rag_shadow_requests_total", outcome="compared")
    counted = value("rag_retrieval_total", method="production_rag", primary_source="all")
    result = serve(app, service, query_of(QUESTION), "by_flags")
    assert result.method == "context_retriever"
    until = time.monotonic() + 20
    while value("rag_shadow_requests_total", outcome="compared") == compared and time.monotonic() < until:
        time.sleep(0.02)
    assert value("rag_shadow_requests_total", outcome="compared") == compared + 1
    assert value("rag_retrieval_total", method="production_rag", primary_source="all") == counted  # none was served
    flags.unset("production_rag_shadow_percentage")
    serve(app, service, query_of(QUESTION), "by_flags")
    assert value("rag_shadow_requests_total", outcome="compared") == compared + 1
    flags.close()


SURROUNDED_BY_RUINS = """
import logging, sys
import rag_app

class Exploding(logging.Handler):
    def handle(self, record):
        raise OSError("the disk is full")

logging.getLogger("rag_app").addHandler(Exploding())
logging.getLogger("rag_app").setLevel(logging.DEBUG)
rag_app.configure(database={"url": sys.argv[1]}, deadline_s=30, retrieval={"leg_timeout_s": 20},
                  flags={"backend": "redis", "redis_url": sys.argv[2]})
rag_app.default_app().ingest([{"id": "1", "text": "ما بورسیه داریم", "source": "manual"}], tenant="7")
for retrieve in (rag_app.retrieve_context, rag_app.ProductionRAG.retrieve_context):
    result = retrieve("بورسیه دارین؟", user=7)
    print(result["retrieval_method"], result["total_chunks"], result["performance"]["variant_reason"])
print("error" in rag_app.RAGMetrics.get_cached_metrics())
try:
    rag_app.FeatureFlags.set_flag("production_rag", True)
except rag_app.RagAppError as error:
    print(type(error).__name__)
"""


def test_without_flags_metrics_and_log_requests_are_answered(new_database: Callable[[], str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = subprocess.run(
        [sys.executable, "-c", SURROUNDED_BY_RUINS, new_database(), "redis://:secret@127.0.0.1:1/0"],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "context_retriever 1 ERROR",
        "production_rag 1 CALLED",
        "True",
        "StorageError",
    ]
    assert "secret" not in done.stderr
