"""Answers whatever happens: the steps, the failures in the customer's language, the metrics and the log."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from importlib import resources

import pytest
import yaml
from llama_index.core.llms import ChatMessage, MessageRole

from rag_app import RagApp
from rag_app.chat.replies import reply
from rag_app.errors import LLMError, LLMFailure
from rag_app.gemini import messages_of
from rag_app.metrics import catalog
from rag_app.schema import Answer, Deadline, Delta, Emptiness, RetrievalQuery, RetrievalResult, Retrieved
from tests.chat.conversations import answered, chat_of, events_of, writer_of
from tests.serving import query_of

QUESTION = "شهریه دوره آیلتس چقدره؟"
REASONS = ("blocked", "empty answer", "cut off", "quota", "time-out", "unavailable", "refused key", "bad request")


def failing(reason: LLMFailure) -> LLMError:
    return LLMError("the service said no", reason)


def test_an_answer_comes_in_steps_and_cites_what_it_rests_on(app: RagApp) -> None:
    retrieved, *deltas, answer = events_of(app, app.chat, QUESTION)
    assert isinstance(retrieved, Retrieved)
    assert isinstance(answer, Answer)
    assert all(isinstance(delta, Delta) for delta in deltas)
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == answer.text
    assert (answer.outcome, answer.llm, answer.retrieved) == ("answered", "extractive", retrieved)
    assert (retrieved.question, retrieved.question_reason) == (QUESTION, "it stands alone")
    assert answer.citations
    assert set(answer.citations) <= set(range(1, len(retrieved.result.nodes) + 1))
    assert "آیلتس" in retrieved.result.nodes[answer.citations[0] - 1].node.get_content()


def test_the_time_of_a_question_begins_once_it_is_understood(app: RagApp) -> None:
    query = replace(query_of(QUESTION), deadline=Deadline(at=0.0, seconds=30.0))
    retrieved, *_ = app.loop.stream(app.chat.astream, query, "production_rag", ())
    assert isinstance(retrieved, Retrieved)
    assert not retrieved.result.degraded


def test_the_llm_reads_the_context_the_history_and_the_question(app: RagApp) -> None:
    said = [
        ChatMessage(role=MessageRole.USER, content="سلام"),
        ChatMessage(role=MessageRole.ASSISTANT, content="سلام! [3]"),
    ]
    requests: list = []
    answer = answered(app, chat_of(app, write=writer_of("بله [1].", requests=requests)), QUESTION, history=said)
    clean = [said[0], ChatMessage(role=MessageRole.ASSISTANT, content="سلام!")]
    assert requests == [messages_of(QUESTION, answer.retrieved.result.context, clean)]


def test_numbers_of_chunks_that_do_not_exist_are_never_told(app: RagApp) -> None:
    answer = answered(app, chat_of(app, write=writer_of("۲ میلیون [", "1] و [9", "9].")), QUESTION)
    assert (answer.text, answer.citations) == ("۲ میلیون [1] و.", (1,))


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("question", [QUESTION, "How much is the IELTS course?", "shahrie ielts cheghadre?"])
def test_a_failing_llm_is_told_of_in_the_customers_language(app: RagApp, reason: LLMFailure, question: str) -> None:
    answer = answered(app, chat_of(app, write=writer_of(then=failing(reason))), question)
    assert answer.outcome == reason
    assert answer.citations == ()
    assert answer.text == reply(reason, question)
    assert answer.text.isascii() is (question.startswith("How"))
    assert answer.retrieved.result.nodes


def test_a_failure_in_the_middle_keeps_what_was_said(app: RagApp) -> None:
    answer = answered(app, chat_of(app, write=writer_of("شهریه [1] ", "۲", then=failing("time-out"))), QUESTION)
    assert answer.outcome == "time-out"
    assert answer.text == f"شهریه [1] ۲\n\n{reply('cut off', QUESTION)}"
    assert answer.citations == (1,)


def test_an_error_that_nobody_expected_is_no_error_of_the_answer(app: RagApp) -> None:
    answer = answered(app, chat_of(app, write=writer_of(then=ValueError("?"))), QUESTION)
    assert (answer.outcome, answer.text) == ("unavailable", reply("unavailable", QUESTION))


def test_only_numbers_that_do_not_exist_are_an_empty_answer(app: RagApp) -> None:
    answer = answered(app, chat_of(app, write=writer_of(" [99]")), QUESTION)
    assert (answer.outcome, answer.text) == ("empty answer", reply("empty answer", QUESTION))


@pytest.mark.parametrize(
    ("question", "told"),
    [("سوال", "no context"), ("anything?", "no context"), ("   ", "empty query")],
)
def test_without_chunks_no_llm_is_asked(app: RagApp, tenant: str, question: str, told: str) -> None:
    requests: list = []
    answer = answered(app, chat_of(app, write=writer_of("x", requests=requests)), question, tenant=tenant)
    assert (answer.outcome, answer.text, answer.citations) == ("no context", reply(told, question), ())
    assert requests == []


def test_a_failed_search_is_not_told_as_an_answer_that_does_not_exist(app: RagApp) -> None:
    class Failed:
        async def answer(self, query: RetrievalQuery, method: str) -> RetrievalResult:
            empty = await app.service.answer(replace(query, query_str=" "), "production_rag")
            return replace(empty, emptiness=Emptiness("failed", "retrieval failed"), failure="TimeoutError")

    answer = answered(app, chat_of(app, retrieval=Failed()), QUESTION)
    assert (answer.outcome, answer.text) == ("no context", reply("search failed", QUESTION))


def test_each_way_an_answer_comes_out_has_a_sentence_in_both_languages() -> None:
    replies = yaml.safe_load(resources.files("rag_app.chat").joinpath("replies.yaml").read_text("utf-8"))
    assert set(replies) == {"fa", "en"}
    for told in replies.values():
        assert set(told) == {*REASONS, "no context", "search failed", "empty query"}
        assert all(sentence.strip() for sentence in told.values())


async def unending_writer(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield "never"


def counted(outcome: str) -> float:
    return catalog.answers.of("extractive", outcome)._value.get()


def test_answers_are_counted_and_logged_without_a_word_of_the_customers(
    app: RagApp, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("answered"), counted("quota"), counted("abandoned")
    with caplog.at_level(logging.INFO, logger="rag_app.chat"):
        answered(app, app.chat, QUESTION)
        answered(app, chat_of(app, write=writer_of(then=failing("quota"))), QUESTION)
        unending = chat_of(app, write=unending_writer)
        events = app.loop.stream(unending.astream, query_of(QUESTION), "production_rag", ())
        assert isinstance(next(events), Retrieved)
        events.close()
        app.loop.call(asyncio.sleep, 0.2)
    assert (counted("answered"), counted("quota"), counted("abandoned")) == tuple(n + 1 for n in before)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Answer ")]
    assert len(lines) == 3
    assert 'llm=extractive outcome=answered question="as typed"' in lines[0]
    assert "first_token_ms=" in lines[0]
    assert "first_token_ms=" not in lines[1]
    assert not any(word in line for line in lines for word in QUESTION.rstrip("؟").split())
