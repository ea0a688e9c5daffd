import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from rag_app.chat.history import MAX_TOKENS, MAX_TURNS, checked_history, recent_turns
from rag_app.errors import InvalidInputError
from rag_app.tokens import EstimatedTokenCounter

COUNTER = EstimatedTokenCounter()


def user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)


def told(history: list[ChatMessage]) -> list[tuple[str, str | None]]:
    return [(message.role.value, message.content) for message in recent_turns(history, COUNTER)]


def test_the_last_turns_stay_in_their_order() -> None:
    history = [message for n in range(20) for message in (user(f"q{n}"), assistant(f"a{n}"))]
    kept = told(history)
    assert len(kept) == 2 * MAX_TURNS
    assert (kept[0], kept[-1]) == (("user", "q14"), ("assistant", "a19"))


def test_the_budget_of_tokens_keeps_whole_messages_from_a_users_on() -> None:
    long = "کلاس"
    while COUNTER.count(long) <= MAX_TOKENS * 0.6:
        long += " کلاس"
    history = [user("اول"), assistant(long), user(long), assistant("کوتاه")]
    kept = told(history)
    assert [role for role, _ in kept] == ["user", "assistant"]
    assert sum(COUNTER.count(text or "") for _, text in kept) <= MAX_TOKENS
    assert told([user(long * 3)]) == []


def test_old_citations_and_turns_without_text_go() -> None:
    kept = told([user("سلام [1]"), assistant("رایگان [1]."), assistant("  ")])
    assert kept == [("user", "سلام [1]"), ("assistant", "رایگان.")]


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("سلام", "must be a list of ChatMessage, not str"),
        (7, "must be a list of ChatMessage, not int"),
        ([{"role": "user"}], r"history\[0\] must be a ChatMessage, not dict"),
        ([ChatMessage(role=MessageRole.SYSTEM, content="x")], r"history\[0\] has the role 'system'; valid: user"),
    ],
)
def test_what_is_no_history_is_refused(history: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        checked_history(history)
