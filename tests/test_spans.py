"""Spans as OpenTelemetry's own SDK records them."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from rag_app import RagApp
from rag_app.spans import span
from tests.conftest import SAMPLE_TENANT

QUESTION = "شهریه کلاس آیلتس چقدر است؟"


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def recorded(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def by_name(recorded: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {each.name: each for each in recorded.get_finished_spans()}


def test_a_request_is_a_span_with_its_stages_and_legs_within_it(app: RagApp, recorded: InMemorySpanExporter) -> None:
    result = app.retrieve(QUESTION, tenant=SAMPLE_TENANT)
    spans = by_name(recorded)
    root = spans["rag_app.retrieve"]
    stages = [f"rag_app.{stage.name}" for stage in result.trace.stages]
    assert stages == ["rag_app.query_analysis", "rag_app.retrieval", "rag_app.rerank", "rag_app.context"]
    assert {spans[name].parent.span_id for name in stages} == {root.context.span_id}
    legs = {spans[f"rag_app.leg.{leg}"].parent.span_id for leg in ("dense", "bm25")}
    assert legs == {spans["rag_app.retrieval"].context.span_id}
    assert [spans[name].attributes["openinference.span.kind"] for name in stages] == [
        "CHAIN",
        "RETRIEVER",
        "RERANKER",
        "CHAIN",
    ]
    assert root.attributes["rag_app.tenant"] == SAMPLE_TENANT
    assert root.attributes["rag_app.tokens"] == result.tokens
    assert root.attributes["retrieval.documents.0.document.id"] == result.nodes[0].node.node_id
    assert spans["rag_app.context"].attributes["rag_app.candidates"] == len(result.nodes)


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_request_belongs_to_the_callers_span(app: RagApp, recorded: InMemorySpanExporter, way: str) -> None:
    with trace.get_tracer("backend").start_as_current_span("a chat turn"):
        if way == "sync":
            app.retrieve(QUESTION, tenant=SAMPLE_TENANT)
        else:
            await app.aretrieve(QUESTION, tenant=SAMPLE_TENANT)
    spans = by_name(recorded)
    assert spans["rag_app.retrieve"].parent.span_id == spans["a chat turn"].context.span_id


def test_no_span_tells_what_the_customer_wrote_or_what_a_text_says(app: RagApp, recorded: InMemorySpanExporter) -> None:
    result = app.retrieve(QUESTION, tenant=SAMPLE_TENANT)
    told = "\n".join(each.to_json() for each in recorded.get_finished_spans())
    assert "آیلتس" not in told
    assert "\\u0622" not in told  # as JSON may write it
    assert result.nodes[0].node.get_content()[:30] not in told


def test_an_answer_is_a_span_of_its_llm_beside_that_of_its_retrieval(
    app: RagApp, recorded: InMemorySpanExporter
) -> None:
    with trace.get_tracer("backend").start_as_current_span("a chat turn"):
        answer = app.answer(QUESTION, tenant=SAMPLE_TENANT)
    spans = by_name(recorded)
    told, turn = spans["rag_app.answer"], spans["a chat turn"]
    assert told.attributes["openinference.span.kind"] == "LLM"
    assert told.attributes["gen_ai.provider.name"] == answer.llm == "extractive"
    assert told.attributes["rag_app.outcome"] == "answered"
    assert told.parent.span_id == spans["rag_app.retrieve"].parent.span_id == turn.context.span_id
    assert turn.start_time <= told.start_time < told.end_time <= turn.end_time
    assert answer.text[:30] not in told.to_json()


def test_an_error_is_told_by_its_type_alone(recorded: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), span("rag_app.test", "CHAIN"):
        raise ValueError("secret")
    (failed,) = recorded.get_finished_spans()
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "ValueError"
    assert "secret" not in failed.to_json()


def test_events_of_llama_index_still_fire(app: RagApp) -> None:
    names: list[str] = []

    class Seen(BaseEventHandler):
        def handle(self, event: BaseEvent, **_: object) -> None:
            names.append(event.class_name())

    seen, dispatcher = Seen(), get_dispatcher()
    dispatcher.add_event_handler(seen)
    try:
        app.retrieve(QUESTION, tenant=SAMPLE_TENANT)
    finally:
        dispatcher.event_handlers.remove(seen)
    assert names.count("RetrievalStartEvent") == names.count("RetrievalEndEvent") >= 3  # fusion and two legs


def test_without_opentelemetry_there_are_no_spans_and_nothing_fails() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from rag_app.spans import span\n"
        "with span('rag_app.test', 'CHAIN') as told: told.add({'a': 1}); told.add_documents([('n', 1.0)])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
