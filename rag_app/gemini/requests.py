"""The request for an answer in the form that Google's own client takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from llama_index.core.llms import ChatMessage, MessageRole

from rag_app.gemini.turns import messages_of


class Part(TypedDict):
    """A piece of a turn."""

    text: str


class Content(TypedDict):
    """One turn; "model" is the assistant."""

    role: Literal["user", "model"]
    parts: list[Part]


class Config(TypedDict):
    """What holds for the whole request."""

    system_instruction: str


class GeminiRequest(TypedDict):
    """Keyword arguments of google-genai's `generate_content`, but for the model."""

    contents: list[Content]
    config: Config


def request_of(question: str, context: str, history: Sequence[ChatMessage] = ()) -> GeminiRequest:
    """Return the request as plain values, for `client.models.generate_content(model=..., **request)`.

    Raises:
        InvalidInputError: a message of the history is neither the user's nor the assistant's.
    """
    instruction, *turns = messages_of(question, context, history)
    return GeminiRequest(
        contents=[
            Content(role="user" if turn.role == MessageRole.USER else "model", parts=[Part(text=turn.content or "")])
            for turn in turns
        ],
        config=Config(system_instruction=instruction.content or ""),
    )
