"""The calls that retrieve and answer, also as LlamaIndex's own objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Unpack, cast

from llama_index.core.llms import ChatMessage

from rag_app.app.opened import OpenedApp
from rag_app.chat import ChatService, checked_history
from rag_app.query_engine import AStreamAnswer, RagChatEngine, RagQueryEngine, RagRetriever, StreamAnswer
from rag_app.request import RetrievalOptions
from rag_app.schema import Answer, AnswerEvent, RetrievalQuery, RetrievalResult
from rag_app.serving import Method


class AnswerCalls(OpenedApp):
    """Finds the context of a question of any tenant, and answers it."""

    def retrieve(self, query: str, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RetrievalResult:
        """Find the context that answers `query` from the documents of `tenant`.

        Args:
            query: the customer's question, as typed.
            tenant: whose documents may be found.
            primary_source: the source that gets the primary share of the budget; None searches all sources.
            secondary_sources: the sources that share the secondary budget.
            primary_budget: tokens for the primary source; the configured one if None.
            secondary_budget: tokens for the secondary sources; the configured one if None.
            filters: what the metadata of a document must hold to be found: values by key, each one value or a list of
                which any will do. Keys are `doc_id`, `kind`, `title` and those in `retrieval.filter_keys`.
            method: "production_rag", the four stages; "context_retriever", the old way; or "by_flags", which sends the
                tenant to one of them.
            deadline_s: the seconds that the call may take; the configured ones if None.

        Returns:
            The chunks, the context and the trace. A part that failed is in the trace; an empty result says why.

        Raises:
            InvalidInputError: an argument is of a wrong type, names no tenant or source, filters by a key that is not
                allowed, is a budget below 0 or no time.
        """
        return self.loop.call(self.service.answer, *self._requests.checked(query, tenant, options))

    async def aretrieve(self, query: str, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RetrievalResult:
        """Do what `retrieve` does, without blocking the loop."""
        return await self.loop.acall(self.service.answer, *self._requests.checked(query, tenant, options))

    def answer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> Answer:
        """Answer a question from the documents of `tenant`, in its language and with its sources by number.

        Args:
            question: the customer's question, as typed; it may lean on what was said before.
            tenant: whose documents may be used.
            history: the turns before, of the user and the assistant, oldest first.
            options: as for `retrieve`.

        Returns:
            The text, its citations and what it rests on. If the LLM failed, or nothing was found to answer from, the
            text says so to the customer, and `outcome` to you.

        Raises:
            InvalidInputError: an argument can not be used.
        """
        return _whole(list(self.stream_answer(question, tenant=tenant, history=history, **options)))

    async def aanswer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> Answer:
        """Do what `answer` does, without blocking the loop."""
        events = self.astream_answer(question, tenant=tenant, history=history, **options)
        return _whole([event async for event in events])

    def stream_answer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> Iterator[AnswerEvent]:
        """Answer as `answer` does, step by step: `Retrieved`, each `Delta` of the text when it comes, `Answer`.

        Raises:
            InvalidInputError: an argument can not be used; at once, not at the first step.
        """
        request = self._requests.checked(question, tenant, options)
        return self.loop.stream(self._answered, *request, checked_history(history))

    def astream_answer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> AsyncIterator[AnswerEvent]:
        """Do what `stream_answer` does, without blocking the loop."""
        request = self._requests.checked(question, tenant, options)
        return self.loop.astream(self._answered, *request, checked_history(history))

    def as_retriever(self, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RagRetriever:
        """Return `retrieve` for a tenant as a LlamaIndex retriever; `options` as there."""
        self._requests.checked("", tenant, options)
        return RagRetriever(
            partial(self.retrieve, tenant=tenant, **options), partial(self.aretrieve, tenant=tenant, **options)
        )

    def as_query_engine(
        self, *, tenant: str, streaming: bool = False, **options: Unpack[RetrievalOptions]
    ) -> RagQueryEngine:
        """Return `answer` for a tenant as a LlamaIndex query engine; `options` as for `retrieve`."""
        self._requests.checked("", tenant, options)
        return RagQueryEngine(*self._streams(tenant, options), streaming=streaming)

    def as_chat_engine(self, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RagChatEngine:
        """Return `answer` for a tenant as a LlamaIndex chat engine, which keeps one conversation."""
        self._requests.checked("", tenant, options)
        return RagChatEngine(*self._streams(tenant, options))

    async def _answered(
        self, query: RetrievalQuery, method: Method, history: Sequence[ChatMessage]
    ) -> AsyncIterator[AnswerEvent]:
        """Answer on our loop; the first answer opens the LLM, whose packages take seconds to import, in a thread."""
        chat: ChatService = await asyncio.to_thread(getattr, self, "chat") if "chat" not in vars(self) else self.chat
        async with aclosing(chat.astream(query, method, history)) as events:
            async for event in events:
                yield event

    def _streams(self, tenant: str, options: RetrievalOptions) -> tuple[StreamAnswer, AStreamAnswer]:
        return (
            partial(self.stream_answer, tenant=tenant, **options),
            partial(self.astream_answer, tenant=tenant, **options),
        )


def _whole(events: Sequence[AnswerEvent]) -> Answer:
    """Return the last step of an answer."""
    return cast("Answer", events[-1])
