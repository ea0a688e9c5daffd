"""Conversations of the sample: what the resolved question finds, and what is left as typed."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from rag_app import RagApp
from rag_app.chat.follow_up import FollowUps, Understood, by_rules
from rag_app.errors import LLMError
from tests.chat.conversations import answered, chat_of, writer_of
from tests.conftest import INSTITUTE, SAMPLE_TENANT


def lines_of(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (INSTITUTE / file).read_text("utf-8").splitlines()]


def user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def understood(follow_ups: FollowUps, app: RagApp, question: str, turns: Sequence[ChatMessage]) -> Understood:
    return app.loop.call(follow_ups.understood, question, turns)


def found(app: RagApp, question: str, relevant: list[str]) -> bool:
    nodes = app.retrieve(question, tenant=SAMPLE_TENANT).nodes
    return any(node.node.metadata["doc_id"] in relevant for node in nodes)


@pytest.mark.parametrize("file", ["conversations", "held-out"])
def test_the_resolved_question_finds_what_the_typed_one_does_not(app: RagApp, file: str) -> None:
    conversations = lines_of(f"conversations/{file}.jsonl")
    assert len(conversations) == 40
    missed, typed = [], 0
    for entry in conversations:
        read = by_rules(entry["question"], entry["said"])
        if read is None or not found(app, read.question, entry["relevant"]):
            missed.append(entry["id"])
        typed += found(app, entry["question"], entry["relevant"])
    assert len(missed) <= 2, missed
    assert typed <= 24


@pytest.mark.parametrize(("folder", "most"), [("support", 3), ("support-held-out", 3)])
def test_questions_that_stand_alone_are_not_changed(folder: str, most: int) -> None:
    questions = lines_of(f"{folder}/queries.jsonl")
    changed = []
    for entry in questions:
        read = by_rules(entry["text"], ["دوره آیلتس دارین؟"])
        if read is None or read.kind != "as typed":
            changed.append(entry["text"])
    assert len(questions) >= 150
    assert len(changed) <= most, changed


def test_without_a_conversation_nothing_changes() -> None:
    assert by_rules("هزینه‌ش چقدره؟", []) == Understood("هزینه‌ش چقدره؟", "as typed", "it stands alone")


def test_the_subject_lasts_over_questions_that_lean_on_it() -> None:
    said = ["دوره آیلتس دارین؟", "هزینه‌ش چقدره؟", "ممنون", "تافل چی؟"]
    read = by_rules("کی شروع میشه؟", said)
    assert read is not None
    assert read.question == "دوره تافل کی شروع میشه؟"
    assert read.reason == "«کی شروع میشه؟» was read with «دوره تافل», of which the customer spoke before"


def test_an_answer_rests_on_the_resolved_question_and_says_why(app: RagApp) -> None:
    answer = answered(app, app.chat, "شهریه‌ش چقدره؟", history=[user("دوره آیلتس دارین؟")])
    assert answer.retrieved.question == "شهریه دوره آیلتس چقدره؟"
    assert "«شهریه‌ش»" in answer.retrieved.question_reason
    assert "آیلتس" in answer.text


def test_the_llm_is_asked_only_where_the_rules_find_nothing(app: RagApp) -> None:
    requests: list = []
    follow_ups = FollowUps(writer_of("شهریه دوره ", "تافل\nچقدره؟", requests=requests))
    said = [user("سلام"), ChatMessage(role=MessageRole.ASSISTANT, content="دوره تافل از آبان است.")]
    assert understood(follow_ups, app, "شهریه‌ش چقدره؟", [user("دوره آیلتس دارین؟")]).kind == "by rules"
    assert understood(follow_ups, app, "کلاس فرانسه دارین؟", said).kind == "as typed"
    assert requests == []
    read = understood(follow_ups, app, "شهریه‌ش چقدره؟", said)
    assert (read.question, read.kind) == ("شهریه دوره تافل چقدره؟", "by the LLM")
    assert "دوره تافل از آبان است." in (requests[0][-1].content or "")


@pytest.mark.parametrize(
    "write",
    [
        writer_of("شهریه", then=LLMError("no", "time-out")),
        writer_of(then=ValueError("?")),
        writer_of("شهریه " * 200),
        writer_of("  "),
        None,
    ],
    ids=["late", "unexpected", "too long", "empty", "no LLM"],
)
def test_what_can_not_be_rewritten_stays_as_typed(app: RagApp, write: Any) -> None:
    read = understood(FollowUps(write), app, "شهریه‌ش چقدره؟", [user("سلام")])
    assert (read.question, read.kind) == ("شهریه‌ش چقدره؟", "as typed")
    assert read.reason != "it stands alone"


def test_a_question_that_can_not_be_read_is_answered_as_typed(app: RagApp) -> None:
    class Broken(FollowUps):
        @staticmethod
        async def _by_llm(*args: object) -> Understood:
            raise RuntimeError("?")

    chat = chat_of(app, follow_ups=Broken(writer_of()))
    answer = answered(app, chat, "شهریه‌ش چقدره؟", history=[user("سلام")])
    assert answer.retrieved.question == "شهریه‌ش چقدره؟"
    assert answer.retrieved.question_reason.endswith("RuntimeError")
