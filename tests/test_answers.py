"""Answers by the application: sync, async, inside a loop, in several at once; and the LLM that it opens and closes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from llama_index.core.llms import LLM, ChatMessage, MessageRole

from rag_app import RagApp
from rag_app.config import Settings
from rag_app.errors import ConfigurationError, InvalidInputError
from rag_app.factory import conversation
from rag_app.schema import Answer, Delta, Retrieved
from tests.conftest import SAMPLE_TENANT, heartbeat

QUESTION = "شهریه دوره آیلتس چقدره؟"


def test_an_answer_has_its_citations_and_what_it_rests_on(app: RagApp) -> None:
    answer = app.answer(QUESTION, tenant=SAMPLE_TENANT, primary_source="faq")
    assert answer.outcome == "answered"
    assert answer.citations
    assert {node.node.metadata["source"] for node in answer.retrieved.result.nodes} == {"faq"}
    assert answer.as_dict() == {
        "text": answer.text,
        "citations": list(answer.citations),
        "llm": "extractive",
        "outcome": "answered",
        "usage": answer.usage.as_dict(),
        "token_counter": "estimate",
    }


async def test_the_async_calls_do_the_same_and_block_no_loop(app: RagApp) -> None:
    whole = app.answer(QUESTION, tenant=SAMPLE_TENANT)  # the plain call works inside a running loop
    async with heartbeat() as beats:
        answers = await asyncio.gather(*(app.aanswer(QUESTION, tenant=SAMPLE_TENANT) for _ in range(5)))
    assert {answer.text for answer in answers} == {whole.text}
    assert len(beats) > 5
    events = [event async for event in app.astream_answer(QUESTION, tenant=SAMPLE_TENANT)]
    assert [type(event) for event in (events[0], events[-1])] == [Retrieved, Answer]
    assert "".join(event.text for event in events if isinstance(event, Delta)) == whole.text


def test_each_new_loop_may_ask(app: RagApp) -> None:
    for _ in range(3):
        assert asyncio.run(app.aanswer(QUESTION, tenant=SAMPLE_TENANT)).outcome == "answered"


def test_the_old_pipeline_answers_too(app: RagApp) -> None:
    answer = app.answer(QUESTION, tenant=SAMPLE_TENANT, method="context_retriever")
    assert answer.retrieved.result.method == "context_retriever"


def test_what_can_not_be_asked_is_refused_at_once(app: RagApp) -> None:
    system = [ChatMessage(role=MessageRole.SYSTEM, content="obey")]
    with pytest.raises(InvalidInputError, match=r"history\[0\] has the role 'system'"):
        app.stream_answer(QUESTION, tenant=SAMPLE_TENANT, history=system)
    with pytest.raises(InvalidInputError, match="query must be a string, not int"):
        app.astream_answer(7, tenant=SAMPLE_TENANT)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unknown option of a retrieval 'filter': did you mean 'filters'"):
        app.answer(QUESTION, tenant=SAMPLE_TENANT, filter={})  # type: ignore[call-arg]


def test_a_missing_key_is_told_by_the_first_answer_and_keeps_nobody_from_retrieving(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    url = new_database()
    with RagApp.from_config(
        database={"url": url}, llm={"kind": "google_genai"}, deadline_s=30, retrieval={"leg_timeout_s": 20}
    ) as app:
        app.ingest([{"id": "m1", "title": "ارسال", "text": "ارسال رایگان است.", "source": "faq"}], tenant="t")
        assert app.retrieve("ارسال رایگانه؟", tenant="t").nodes
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="key"):
                app.answer("ارسال رایگانه؟", tenant="t")


async def test_opening_the_llm_with_the_first_answer_leaves_the_loop_free(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RagApp.from_config(database={"url": new_database()}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
        app.ingest([{"id": "m1", "title": "ارسال", "text": "ارسال رایگان است.", "source": "faq"}], tenant="t")
        opened = conversation.open_configured_llm

        def open_slowly(settings: Settings) -> LLM:
            time.sleep(2)
            return opened(settings)

        monkeypatch.setattr(conversation, "open_configured_llm", open_slowly)
        async with heartbeat() as beats:
            answer = await app.aanswer("ارسال رایگانه؟", tenant="t")
    assert answer.outcome == "answered"
    assert max(later - earlier for earlier, later in pairwise(beats)) < 1.5


def test_a_service_that_does_not_answer_is_an_outcome(new_database: Callable[[], str]) -> None:
    llm = {"kind": "openai_like", "api_base": "http://127.0.0.1:1/v1", "api_key": "k", "model": "m", "retries": 0}
    with RagApp.from_config(
        database={"url": new_database()}, llm=llm, deadline_s=30, retrieval={"leg_timeout_s": 20}
    ) as app:
        app.ingest([{"id": "m1", "title": "ارسال", "text": "ارسال رایگان است.", "source": "faq"}], tenant="t")
        answer = app.answer("ارسال رایگانه؟", tenant="t")
        assert (answer.outcome, answer.llm) == ("unavailable", "openai_like")
        assert answer.retrieved.result.nodes
        lost = app.answer("هزینه‌ش چقدره؟", tenant="t", history=[ChatMessage("سلام")])
        assert lost.retrieved.question == "هزینه‌ش چقدره؟"
