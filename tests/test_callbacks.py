"""LlamaIndex's callbacks: what its objects remember of events, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.schema import NodeWithScore, QueryBundle

from rag_app import RagApp, callbacks
from rag_app.callbacks import bounded, is_watched
from tests.conftest import SAMPLE_TENANT


class Silent(BaseRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return []


class Heard(BaseEventHandler):
    def handle(self, event: BaseEvent, **_: object) -> None:
        pass


def managers(app: RagApp) -> Iterator[CallbackManager]:
    parts = app._components
    hybrid = parts.retrieval.retriever
    parsers = [cut.parser for cut in (parts.ingestion._default, *parts.ingestion._by_kind.values())]
    for part in (parts.embedding.model, hybrid, *hybrid.legs.values(), *app.pipeline.rerankers.values(), *parsers):
        yield part.callback_manager
    yield app._llm.get().callback_manager


def test_no_part_remembers_the_events_of_all_requests(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "_MOST_EVENTS", 5)
    with RagApp.from_config(database={"url": new_database()}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
        for number in range(12):
            app.ingest([{"id": str(number), "text": f"ارسال سفارش {number}"}], tenant="t")
            assert app.retrieve(f"ارسال {number}", tenant="t").nodes
            app.answer(f"ارسال {number}", tenant="t")
        remembered = [sum(map(len, manager.trace_map.values())) for manager in managers(app)]
    assert max(remembered) in range(1, 7)


def test_the_handlers_of_a_part_are_told_as_before() -> None:
    told = LlamaDebugHandler(print_trace_on_end=False)
    model = bounded(MockEmbedding(2, callback_manager=CallbackManager([told])))
    model.get_query_embedding("سلام")
    assert len(told.get_event_pairs(CBEventType.EMBEDDING)) == 1


def test_a_retriever_is_watched_while_anybody_listens() -> None:
    retriever = bounded(Silent(callback_manager=CallbackManager([])))
    assert not is_watched(retriever)
    told = LlamaDebugHandler(print_trace_on_end=False)
    retriever.callback_manager.add_handler(told)
    assert is_watched(retriever)
    retriever.callback_manager.remove_handler(told)
    for name in ("root", BaseRetriever.__module__):
        dispatcher = get_dispatcher(name)
        for handlers, handler in (
            (dispatcher.event_handlers, Heard()),
            (dispatcher.span_handlers, SimpleSpanHandler()),
        ):
            assert not is_watched(retriever)
            handlers.append(handler)  # type: ignore[attr-defined]
            try:
                assert is_watched(retriever)
            finally:
                handlers.remove(handler)  # type: ignore[attr-defined]
    assert not is_watched(retriever)


def test_a_leg_is_told_of_by_llama_index_where_somebody_listens(app: RagApp, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    ask = BaseRetriever.aretrieve

    async def noted(self: BaseRetriever, query: QueryBundle) -> list[NodeWithScore]:
        told.append(type(self).__name__)
        return await ask(self, query)

    monkeypatch.setattr(BaseRetriever, "aretrieve", noted)
    unheard = app.retrieve("هزینه ارسال", tenant=SAMPLE_TENANT)
    assert told == []
    monkeypatch.setattr(get_dispatcher(), "event_handlers", [Heard()])
    heard = app.retrieve("هزینه ارسال", tenant=SAMPLE_TENANT)
    assert sorted(told) == ["BM25Leg", "DenseLeg", "HybridRetriever"]
    assert [node.node for node in heard.nodes] == [node.node for node in unheard.nodes]
