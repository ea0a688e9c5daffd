"""Answers by the sample's application, with what writes them replaced."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Sequence
from typing import Any

from llama_index.core.llms import ChatMessage

from rag_app import RagApp
from rag_app.chat import ChatService
from rag_app.schema import Answer, AnswerEvent
from tests.conftest import SAMPLE_TENANT
from tests.serving import query_of


def writer_of(*pieces: str, then: Exception | None = None, requests: list[Sequence[ChatMessage]] | None = None) -> Any:
    """What writes these pieces, and then fails."""

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        if requests is not None:
            requests.append(messages)
        for piece in pieces:
            yield piece
        if then is not None:
            raise then

    return write


def chat_of(app: RagApp, **parts: Any) -> ChatService:
    """The application's chat with some parts replaced, such as `write` or `retrieval`."""
    chat = copy.copy(app.chat)
    for name, part in parts.items():
        assert hasattr(chat, f"_{name}")
        setattr(chat, f"_{name}", part)
    return chat


def events_of(
    app: RagApp, chat: ChatService, question: str, history: Sequence[ChatMessage] = (), tenant: str = SAMPLE_TENANT
) -> list[AnswerEvent]:
    query = query_of(question, tenant=tenant)
    return list(app.loop.stream(chat.astream, query, "production_rag", tuple(history)))


def answered(app: RagApp, chat: ChatService, question: str, **options: Any) -> Answer:
    *_, answer = events_of(app, chat, question, **options)
    assert isinstance(answer, Answer)
    return answer
