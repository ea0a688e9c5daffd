"""LlamaIndex's callbacks: what its objects remember of events, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding

from rag_app import RagApp, callbacks
from rag_app.callbacks import bounded


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
