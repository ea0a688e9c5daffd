"""A question that leans on the conversation, made to stand alone: by rules, and only where they fail by the LLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llama_index.core.llms import ChatMessage

Kind = Literal["as typed", "by rules", "by the LLM"]


@dataclass(frozen=True)
class Understood:
    """A question as it is searched.

    Attributes:
        question: what is searched.
        kind: how it came about; "as typed" if it was not changed.
        reason: the same in a sentence, with the words that were read.
    """

    question: str
    kind: Kind
    reason: str


class FollowUps:
    """Understands questions."""

    async def understood(self, question: str, turns: Sequence[ChatMessage]) -> Understood:
        """Return the question."""
        return Understood(question, "as typed", "it stands alone")
