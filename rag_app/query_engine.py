"""Retrieval and answers as LlamaIndex's own kinds of objects: a retriever, a query engine and a chat engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from llama_index.core import instrumentation
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.chat_engine.types import AgentChatResponse, BaseChatEngine, StreamingAgentChatResponse
from llama_index.core.instrumentation.events.chat_engine import (
    StreamChatDeltaReceivedEvent,
    StreamChatEndEvent,
    StreamChatStartEvent,
)
from llama_index.core.llms import ChatMessage, ChatResponse, MessageRole
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from rag_app.schema import AnswerEvent, Delta, RetrievalResult, Retrieved

dispatcher = instrumentation.get_dispatcher(__name__)  # type: ignore[attr-defined]

StreamAnswer = Callable[..., Iterator[AnswerEvent]]
AStreamAnswer = Callable[..., AsyncIterator[AnswerEvent]]


class RagRetriever(BaseRetriever):
    """The four stages as a retriever: the chunks of the context, best first, parents brought in.

    Args:
        retrieve: retrieves for a question.
        aretrieve: its async twin.
        callback_manager: is told of each retrieval, as LlamaIndex does.
    """

    def __init__(
        self,
        retrieve: Callable[[str], RetrievalResult],
        aretrieve: Callable[[str], Awaitable[RetrievalResult]],
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager)
        self._find = retrieve
        self._afind = aretrieve

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return list(self._find(query_bundle.query_str).nodes)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return list((await self._afind(query_bundle.query_str)).nodes)


class RagQueryEngine(BaseQueryEngine):
    """Answers as responses: the text, the chunks that it rests on, and in the metadata how it came about.

    The metadata holds `question`, `question_reason` and `trace`, and, when the text is complete, what
    `Answer.as_dict` has beside it.

    Args:
        stream: answers a question step by step.
        astream: its async twin.
        streaming: whether responses come while they are written.
        callback_manager: is told of each query, as LlamaIndex does.
    """

    def __init__(
        self,
        stream: StreamAnswer,
        astream: AStreamAnswer,
        *,
        streaming: bool = False,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager)
        self._stream = stream
        self._astream = astream
        self._streaming = streaming

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    @dispatcher.span
    def _query(self, query_bundle: QueryBundle) -> Response | StreamingResponse:
        given: dict[str, Any] = {EventPayload.QUERY_STR: query_bundle.query_str}
        with self.callback_manager.event(CBEventType.QUERY, payload=given) as event:
            told = _Told()
            deltas = told.follow(self._stream(query_bundle.query_str))
            next(deltas)
            response: Response | StreamingResponse
            if self._streaming:
                response = StreamingResponse(deltas, told.nodes, told.metadata)
            else:
                response = Response("".join(deltas), told.nodes, told.metadata)
            event.on_end(payload={EventPayload.RESPONSE: response})
            return response

    @dispatcher.span
    async def _aquery(self, query_bundle: QueryBundle) -> Response | AsyncStreamingResponse:
        given: dict[str, Any] = {EventPayload.QUERY_STR: query_bundle.query_str}
        with self.callback_manager.event(CBEventType.QUERY, payload=given) as event:
            told = _Told()
            deltas = told.afollow(self._astream(query_bundle.query_str))
            await anext(deltas)
            response: Response | AsyncStreamingResponse
            if self._streaming:
                response = AsyncStreamingResponse(cast("Any", deltas), told.nodes, told.metadata)
            else:
                response = Response("".join([delta async for delta in deltas]), told.nodes, told.metadata)
            event.on_end(payload={EventPayload.RESPONSE: response})
            return response


@dataclass
class StreamedAnswer(StreamingAgentChatResponse):
    """A streaming response of the chat engine; `metadata` as that of `RagQueryEngine`."""

    metadata: dict[str, Any] = field(default_factory=dict)


class RagChatEngine(BaseChatEngine):
    """One conversation: each answer is given with the turns before it, and then is one of them.

    A streamed answer becomes a turn when it was read to its end.

    Args:
        stream: answers a question step by step, given the `history`.
        astream: its async twin.
        chat_history: the turns before the first.
    """

    def __init__(self, stream: StreamAnswer, astream: AStreamAnswer, chat_history: Sequence[ChatMessage] = ()) -> None:
        self._stream = stream
        self._astream = astream
        self._history = list(chat_history)

    @property
    def chat_history(self) -> list[ChatMessage]:
        """The turns so far, oldest first."""
        return list(self._history)

    def reset(self) -> None:
        """Begin a new conversation."""
        self._history.clear()

    def chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> AgentChatResponse:
        """Answer a message; `chat_history` takes the place of the turns so far."""
        told = _Told()
        deltas = told.follow(self._stream(message, history=self._begun(chat_history)))
        text = "".join(deltas)
        self._keep(message, text)
        return AgentChatResponse(text, source_nodes=told.nodes, metadata=told.metadata)

    async def achat(self, message: str, chat_history: list[ChatMessage] | None = None) -> AgentChatResponse:
        """Do what `chat` does, without blocking the loop."""
        told = _Told()
        deltas = told.afollow(self._astream(message, history=self._begun(chat_history)))
        text = "".join([delta async for delta in deltas])
        self._keep(message, text)
        return AgentChatResponse(text, source_nodes=told.nodes, metadata=told.metadata)

    def stream_chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> StreamedAnswer:
        """Answer a message, and return while the answer is being written."""
        told = _Told()
        deltas = told.follow(self._stream(message, history=self._begun(chat_history)))
        next(deltas)
        return StreamedAnswer(
            chat_stream=self._responses(message, deltas),
            source_nodes=told.nodes,
            metadata=told.metadata,
            is_writing_to_memory=False,
        )

    async def astream_chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> StreamedAnswer:
        """Do what `stream_chat` does, without blocking the loop."""
        told = _Told()
        deltas = told.afollow(self._astream(message, history=self._begun(chat_history)))
        await anext(deltas)
        return StreamedAnswer(
            achat_stream=cast("Any", self._aresponses(message, deltas)),
            source_nodes=told.nodes,
            metadata=told.metadata,
            is_writing_to_memory=False,
        )

    def _begun(self, chat_history: list[ChatMessage] | None) -> list[ChatMessage]:
        if chat_history is not None:
            self._history = list(chat_history)
        return self.chat_history

    def _keep(self, message: str, text: str) -> None:
        self._history.append(ChatMessage(role=MessageRole.USER, content=message))
        self._history.append(ChatMessage(role=MessageRole.ASSISTANT, content=text))

    def _responses(self, message: str, deltas: Iterator[str]) -> Generator[ChatResponse, None, None]:
        """Yield the answer as LlamaIndex streams one, and keep it at its end."""
        dispatcher.event(StreamChatStartEvent())
        text = ""
        for delta in deltas:
            text += delta
            yield _response(text, delta)
        self._keep(message, text)
        dispatcher.event(StreamChatEndEvent())

    async def _aresponses(self, message: str, deltas: AsyncIterator[str]) -> AsyncIterator[ChatResponse]:
        dispatcher.event(StreamChatStartEvent())
        text = ""
        async for delta in deltas:
            text += delta
            yield _response(text, delta)
        self._keep(message, text)
        dispatcher.event(StreamChatEndEvent())


def _response(text: str, delta: str) -> ChatResponse:
    dispatcher.event(StreamChatDeltaReceivedEvent(delta=delta))
    return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=text), delta=delta)


class _Told:
    """What LlamaIndex's responses tell of an answer, filled while its steps go by."""

    def __init__(self) -> None:
        self.nodes: list[NodeWithScore] = []
        self.metadata: dict[str, Any] = {}

    def follow(self, events: Iterator[AnswerEvent]) -> Generator[str, None, None]:
        """Yield an empty text once it is known what the answer rests on, and then the text piece by piece."""
        for event in events:
            if (text := self._noted(event)) is not None:
                yield text

    async def afollow(self, events: AsyncIterator[AnswerEvent]) -> AsyncIterator[str]:
        """Do what `follow` does with steps that come asynchronously."""
        async for event in events:
            if (text := self._noted(event)) is not None:
                yield text

    def _noted(self, event: AnswerEvent) -> str | None:
        if isinstance(event, Delta):
            return event.text
        if isinstance(event, Retrieved):
            self.nodes += event.result.nodes
            self.metadata |= {
                "question": event.question,
                "question_reason": event.question_reason,
                "trace": event.result.trace.as_dict(),
            }
            return ""
        self.metadata |= {name: value for name, value in event.as_dict().items() if name != "text"}
        return None
