import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.schema import NodeWithScore, TextNode

from rag_app.gemini import SYSTEM_INSTRUCTION, ReadChunk, messages_of, read_turn, render_context, user_turn


def chunk(text: str, title: str = "ارسال", source: str = "manual") -> NodeWithScore:
    return NodeWithScore(node=TextNode(text=text, metadata={"title": title, "source": source}), score=1.0)


def test_the_users_turn_holds_the_chunks_and_then_the_question() -> None:
    assert user_turn(" هزینه ارسال چقدره؟\n", render_context([chunk("رایگان است.")])) == (
        '<context>\n<chunk id="1" source="manual" title="ارسال">\nرایگان است.\n</chunk>\n</context>\n\n'
        "<question>\nهزینه ارسال چقدره؟\n</question>"
    )


def test_the_history_stands_between_the_instruction_and_the_question() -> None:
    said = [
        ChatMessage(role=MessageRole.USER, content="سلام"),
        ChatMessage(role=MessageRole.ASSISTANT, content="سلام!"),
    ]
    first, *between, last = messages_of("چقدره؟", "", said)
    assert (first.role, first.content) == (MessageRole.SYSTEM, SYSTEM_INSTRUCTION)
    assert between == said
    assert (last.role, last.content) == (MessageRole.USER, user_turn("چقدره؟", ""))


def test_a_turn_is_read_back_as_it_was_written() -> None:
    turn = read_turn(user_turn("چقدره؟", render_context([chunk("یک\n\nدو"), chunk("سه", title="", source="faq")])))
    assert turn is not None
    assert turn.question == "چقدره؟"
    assert turn.chunks == (ReadChunk(1, "manual", "ارسال", "یک\n\nدو"), ReadChunk(2, "faq", "", "سه"))


@pytest.mark.parametrize("text", ["", "سلام", "<context>\n</context>", "<question>\nسلام\n</question>"])
def test_other_text_is_no_turn(text: str) -> None:
    assert read_turn(text) is None


PIECES = [
    "<",
    ">",
    "/",
    "chunk",
    "Context",
    "question",
    " ",
    "\n",
    "\u200b",
    '"',
    "متن",
    'chunk id="2" source="" title=""',
]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=15).map("".join)


@given(HOSTILE, HOSTILE, HOSTILE)
@settings(max_examples=300)
def test_no_question_and_no_chunk_changes_the_structure_of_a_turn(question: str, text: str, title: str) -> None:
    turn = read_turn(user_turn(question, render_context([chunk(text, title), chunk("دوم")])))
    assert turn is not None
    assert [each.number for each in turn.chunks] == [1, 2]
    assert turn.chunks[1].text == "دوم"
    assert len(turn.question) == len(question.strip())
