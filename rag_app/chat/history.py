"""The turns of a conversation that a question is read with."""

from __future__ import annotations

from collections.abc import Sequence

from llama_index.core.llms import ChatMessage, MessageRole

from rag_app.chat.citations import without_citations
from rag_app.errors import InvalidInputError
from rag_app.schema import TokenCounter

MAX_TURNS = 6
MAX_TOKENS = 1500
_ROLES = (MessageRole.USER, MessageRole.ASSISTANT)


def checked_history(history: object) -> tuple[ChatMessage, ...]:
    """Return the history if it is one.

    Raises:
        InvalidInputError: it is no sequence of LlamaIndex messages, or one is not by the user or the assistant.
    """
    if isinstance(history, str) or not isinstance(history, Sequence):
        raise InvalidInputError(f"history must be a list of ChatMessage, not {type(history).__name__}")
    for place, message in enumerate(history):
        if not isinstance(message, ChatMessage):
            raise InvalidInputError(f"history[{place}] must be a ChatMessage, not {type(message).__name__}")
        if message.role not in _ROLES:
            raise InvalidInputError(f"history[{place}] has the role {message.role.value!r}; valid: user, assistant")
    return tuple(history)


def recent_turns(history: Sequence[ChatMessage], counter: TokenCounter) -> list[ChatMessage]:
    """Return the last turns, at most six and 1,500 tokens, from a message of the user on.

    Citations are taken out, for their numbers are of another context.
    """
    kept: list[ChatMessage] = []
    turns, tokens = 0, 0
    for message in reversed(history):
        text = (message.content or "").strip()
        if message.role == MessageRole.ASSISTANT:
            text = without_citations(text)
        if not text:
            continue
        tokens += counter.count(text)
        turns += message.role == MessageRole.USER
        if turns > MAX_TURNS or tokens > MAX_TOKENS:
            break
        kept.append(ChatMessage(role=message.role, content=text))
    while kept and kept[-1].role != MessageRole.USER:
        kept.pop()
    return kept[::-1]
