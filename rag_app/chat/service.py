"""An answer step by step: what the question means, what it rests on, its text; whatever fails, the customer is told."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from llama_index.core.llms import ChatMessage

from rag_app import metrics
from rag_app.chat.citations import Citations
from rag_app.chat.follow_up import FollowUps, Understood
from rag_app.chat.history import recent_turns
from rag_app.chat.replies import reply
from rag_app.errors import LLMError, kind_of
from rag_app.gemini import messages_of
from rag_app.llms import WriteAnswer
from rag_app.logs import REQUEST_ID, get_logger, key_values
from rag_app.schema import (
    Answer,
    AnswerEvent,
    Delta,
    Outcome,
    RetrievalQuery,
    RetrievalResult,
    Retrieved,
    TokenCounter,
    Usage,
)
from rag_app.serving import Method, RetrievalService
from rag_app.spans import record_span

logger = get_logger(__name__)

_EMPTY = {"failed": "search failed", "empty query": "empty query"}  # what is told by the kind of emptiness


@dataclass
class _Written:
    """An answer that is being written.

    Attributes:
        first_s: when its first words came, in seconds since the question.
    """

    started: float
    text: str = ""
    outcome: Outcome | None = None
    citations: tuple[int, ...] = ()
    usage: Usage | None = None
    first_s: float | None = None


class ChatService:
    """Answers the questions of conversations from the documents of a tenant.

    Args:
        retrieval: finds what answers rest on.
        follow_ups: makes a question that leans on the conversation stand alone.
        write: writes an answer to a request, piece by piece, and tells its tokens if it knows them; it bounds its own
            time, and raises `LLMError` alone.
        llm: the kind of LLM behind `write`.
        counter: counts the tokens of the history, and of an answer where `write` does not tell them.
    """

    def __init__(
        self,
        retrieval: RetrievalService,
        *,
        follow_ups: FollowUps,
        write: WriteAnswer,
        llm: str,
        counter: TokenCounter,
    ) -> None:
        self.llm = llm
        self._retrieval = retrieval
        self._follow_ups = follow_ups
        self._write = write
        self._counter = counter
        metrics.answers_begin(llm)

    async def astream(
        self, query: RetrievalQuery, method: Method, history: Sequence[ChatMessage]
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield what the answer rests on, its text piece by piece, and the whole; raises for no part that failed.

        Args:
            query: a checked request; its deadline begins anew once the question is understood.
            method: which pipeline retrieves.
            history: the turns before, checked.
        """
        written = _Written(time.perf_counter())
        turns = recent_turns(history, self._counter)
        understood = await self._follow_ups.understood(query.query_str, turns)
        retrieved: Retrieved | None = None
        try:
            asked = replace(query, query_str=understood.question, deadline=query.deadline.anew())
            retrieved = Retrieved(understood.question, understood.reason, await self._retrieval.answer(asked, method))
            yield retrieved
            async with aclosing(self._told(query.query_str, retrieved, turns, written)) as pieces:
                async for piece in pieces:
                    written.text += piece
                    yield Delta(piece)
            assert written.outcome is not None  # noqa: S101 - set by every way through `_told`
            usage = written.usage or Usage(0, 0, self._counter.name)
            yield Answer(written.text, retrieved, written.citations, self.llm, written.outcome, usage)
        finally:
            self._record(query.tenant, understood, retrieved, written)

    async def _told(
        self, typed: str, retrieved: Retrieved, turns: Sequence[ChatMessage], written: _Written
    ) -> AsyncGenerator[str, None]:
        """Yield the text of an answer, and note how it came out."""
        result = retrieved.result
        if not result.nodes:
            written.outcome = "no context"
            kind = result.emptiness.kind if result.emptiness is not None else ""
            yield reply(_EMPTY.get(kind, "no context"), typed)
            return
        citations = Citations(len(result.nodes))
        request: Sequence[ChatMessage] = ()
        try:
            request = messages_of(retrieved.question, result.context, turns)
            async with aclosing(self._write(request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        written.usage = piece
                    elif text := citations.feed(piece):
                        written.first_s = written.first_s or time.perf_counter() - written.started
                        yield text
            if text := citations.end():
                yield text
            written.outcome = "answered" if written.text.strip() else "empty answer"
        except LLMError as error:
            logger.warning("the answer of an LLM failed: llm=%s reason=%s: %s", self.llm, error.reason, error)
            written.outcome = error.reason
        except Exception as error:  # noqa: BLE001 - an answer never fails for a component
            logger.warning("the answer of an LLM failed: llm=%s: %s", self.llm, kind_of(error))
            written.outcome = "unavailable"
        written.citations = tuple(citations.numbers)
        written.usage = written.usage or self._counted(request, result, written.text)
        if written.outcome != "answered":
            said = bool(written.text.strip())
            yield f"\n\n{reply('cut off', typed)}" if said else reply(written.outcome, typed)

    def _counted(self, request: Sequence[ChatMessage], result: RetrievalResult, text: str) -> Usage:
        """Return the tokens of a request and of what came; those of the context are known from the retrieval."""
        around = [(message.content or "").replace(result.context, "", 1) for message in request]
        prompt = result.tokens * bool(request) + sum(map(self._counter.count, around))
        return Usage(prompt, self._counter.count(text), self._counter.name)

    def _record(self, tenant: str, understood: Understood, retrieved: Retrieved | None, written: _Written) -> None:
        """Count the answer and write its one line, without a word of the customer's; one that nobody heard out too."""
        seconds = time.perf_counter() - written.started
        outcome = written.outcome or "abandoned"
        metrics.answered(llm=self.llm, outcome=outcome, seconds=seconds, first_token_s=written.first_s)
        record_span(
            "rag_app.answer",
            "LLM",
            seconds,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": self.llm,
                "rag_app.outcome": outcome,
                "rag_app.citations": len(written.citations),
                "rag_app.first_token_s": written.first_s,
                "error.type": outcome if outcome not in ("answered", "no context") else None,
            },
        )
        fields: dict[str, object] = {
            "request": REQUEST_ID.get() or uuid.uuid4().hex[:12],
            "tenant": tenant,
            "llm": self.llm,
            "outcome": outcome,
            "question": understood.kind,
            "chunks": len(retrieved.result.nodes) if retrieved is not None else None,
            "citations": len(written.citations),
            "chars": len(written.text),
            "first_token_ms": written.first_s and written.first_s * 1000,
            "latency_ms": seconds * 1000,
        }
        logger.info("Answer %s", key_values(fields))
