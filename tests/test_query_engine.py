"""The application as LlamaIndex's own kinds of objects, sync, async and streaming."""

from typing import Any

import pytest
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.chat_engine.types import BaseChatEngine
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.tools import QueryEngineTool

from rag_app import RagApp
from rag_app.errors import InvalidInputError
from rag_app.llms import ExtractiveLLM
from tests.conftest import SAMPLE_TENANT

QUESTION = "شهریه دوره آیلتس چقدره؟"


class Events(BaseEventHandler):
    seen: list[Any]

    def handle(self, event: Any, **kwargs: Any) -> None:
        self.seen.append(event.class_name())


@pytest.fixture
def events() -> Any:
    root, handler = get_dispatcher(), Events(seen=[])
    root.add_event_handler(handler)
    yield handler.seen
    root.event_handlers.remove(handler)


def check_response(response: Any, text: str) -> None:
    assert {node.node.metadata["tenant"] for node in response.source_nodes} == {SAMPLE_TENANT}
    assert response.metadata["outcome"] == "answered"
    assert set(response.metadata["citations"]) <= set(range(1, len(response.source_nodes) + 1))
    assert [stage["name"] for stage in response.metadata["trace"]["stages"]][-1] == "context"
    assert all(f"[{number}]" in text for number in response.metadata["citations"])


async def test_the_retriever_gives_the_chunks_of_the_context(app: RagApp, events: list[str]) -> None:
    retriever = app.as_retriever(tenant=SAMPLE_TENANT, primary_source="faq")
    assert isinstance(retriever, BaseRetriever)
    found = retriever.retrieve(QUESTION)
    assert [node.node_id for node in found] == [node.node_id for node in await retriever.aretrieve(QUESTION)]
    assert {node.node.metadata["source"] for node in found} == {"faq"}
    assert {"RetrievalStartEvent", "RetrievalEndEvent"} <= set(events)


def test_the_retriever_works_in_llama_indexs_own_query_engine(app: RagApp) -> None:
    engine = RetrieverQueryEngine(app.as_retriever(tenant=SAMPLE_TENANT), get_response_synthesizer(llm=ExtractiveLLM()))
    assert engine.query(QUESTION).source_nodes


async def test_the_query_engine_answers(app: RagApp, events: list[str]) -> None:
    engine = app.as_query_engine(tenant=SAMPLE_TENANT)
    assert isinstance(engine, BaseQueryEngine)
    response = engine.query(QUESTION)
    assert isinstance(response, Response)
    check_response(response, str(response))
    again = await engine.aquery(QUESTION)
    assert str(again) == str(response) == app.answer(QUESTION, tenant=SAMPLE_TENANT).text
    assert {"QueryStartEvent", "QueryEndEvent"} <= set(events)


async def test_the_query_engine_streams(app: RagApp) -> None:
    whole = str(app.as_query_engine(tenant=SAMPLE_TENANT).query(QUESTION))
    engine = app.as_query_engine(tenant=SAMPLE_TENANT, streaming=True)
    response = engine.query(QUESTION)
    assert isinstance(response, StreamingResponse)
    assert response.source_nodes
    assert "outcome" not in (response.metadata or {})
    assert str(response) == whole
    check_response(response, whole)
    second = await engine.aquery(QUESTION)
    assert isinstance(second, AsyncStreamingResponse)
    text = "".join([delta async for delta in second.async_response_gen()])
    assert text == whole
    check_response(second, text)


def test_callbacks_are_told_of_a_query(app: RagApp) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    engine = app.as_query_engine(tenant=SAMPLE_TENANT)
    engine.callback_manager = CallbackManager([debug])
    engine.query(QUESTION)
    assert len(debug.get_event_pairs(CBEventType.QUERY)) == 1


def test_the_query_engine_is_a_tool_for_agents(app: RagApp) -> None:
    tool = QueryEngineTool.from_defaults(app.as_query_engine(tenant=SAMPLE_TENANT), name="docs", description="docs")
    assert "[1]" in str(tool.call(QUESTION))


async def test_the_chat_engine_keeps_a_conversation(app: RagApp, events: list[str]) -> None:
    engine = app.as_chat_engine(tenant=SAMPLE_TENANT)
    assert isinstance(engine, BaseChatEngine)
    first = engine.chat(QUESTION)
    assert first.metadata is not None
    check_response(first, str(first))
    second = await engine.achat("ساعت کاری شعبه کرج چنده؟")
    assert [message.content for message in engine.chat_history] == [
        QUESTION,
        str(first),
        "ساعت کاری شعبه کرج چنده؟",
        str(second),
    ]
    streamed = engine.stream_chat(QUESTION)
    text = "".join(streamed.response_gen)
    assert text == str(streamed) == str(first)
    check_response(streamed, text)
    astreamed = await engine.astream_chat(QUESTION)
    assert "".join([delta async for delta in astreamed.async_response_gen()]) == text
    check_response(astreamed, text)
    assert [message.role for message in engine.chat_history] == [MessageRole.USER, MessageRole.ASSISTANT] * 4
    assert {"StreamChatStartEvent", "StreamChatDeltaReceivedEvent", "StreamChatEndEvent"} <= set(events)
    engine.reset()
    assert engine.chat_history == []
    engine.chat(QUESTION, [ChatMessage(role=MessageRole.USER, content="سلام")])
    assert [message.content for message in engine.chat_history][:2] == ["سلام", QUESTION]


@pytest.mark.parametrize("make", ["as_retriever", "as_query_engine", "as_chat_engine"])
def test_options_are_checked_when_the_object_is_made(app: RagApp, make: str) -> None:
    with pytest.raises(InvalidInputError, match="tenant is empty"):
        getattr(app, make)(tenant="")
    with pytest.raises(InvalidInputError, match="unknown method 'production_rog'"):
        getattr(app, make)(tenant="t", method="production_rog")
    with pytest.raises(TypeError, match="did you mean 'primary_source'"):
        getattr(app, make)(tenant="t", primry_source="faq")
