"""What clients of OpenAI's API send."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag_app.server.options import RetrievalFields, Strict


class TextPart(Strict):
    """A part of a message; pictures and sound are not read."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """A message of a conversation."""

    model_config = ConfigDict(extra="ignore", strict=True)  # names, refusals, calls of tools

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream holds beside the text."""

    model_config = ConfigDict(extra="ignore", strict=True)

    include_usage: bool | None = None


class CompletionRequest(RetrievalFields):
    """A conversation, and what steers an LLM, which is taken but not used; and, as extra fields, what is searched."""

    model: str = Field("rag_app", description="Any name; there is one model.")
    messages: list[Message] = Field(min_length=1, max_length=200)
    stream: bool | None = False
    n: Literal[1] | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    reasoning_effort: str | None = None
