"""What a customer is told, and the steps in which it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rag_app.errors import LLMFailure
from rag_app.schema.notebook import answer_html
from rag_app.schema.result import RetrievalResult

Outcome = Literal["answered", "no context"] | LLMFailure


@dataclass(frozen=True)
class Retrieved:
    """The first step of an answer: what it will rest on.

    Attributes:
        question: the question as it was understood from the conversation; what was searched.
        question_reason: why it differs from what the customer typed, or that it does not.
        result: the retrieval.
    """

    question: str
    question_reason: str
    result: RetrievalResult


@dataclass(frozen=True)
class Delta:
    """The next piece of an answer's text."""

    text: str


@dataclass(frozen=True)
class Usage:
    """The tokens that an answer took; none where no LLM was asked.

    Attributes:
        prompt_tokens: of the request.
        completion_tokens: of what the LLM wrote, with what it thought.
        token_counter: who counted: "llm" for its service, which counts its own way; else a counter of rag_app by name.
    """

    prompt_tokens: int
    completion_tokens: int
    token_counter: str

    def as_dict(self) -> dict[str, int]:
        """Return the counts as OpenAI's API names them."""
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
        }


@dataclass(frozen=True)
class Answer:
    """The last step: the whole answer.

    Attributes:
        text: all that the customer was told, in the language of the question; it cites chunks by number, as [1].
        retrieved: what it rests on.
        citations: the numbers of the chunks that it cites, each of which is in the context, in order of appearance.
        llm: the kind of LLM that wrote it.
        outcome: "answered"; "no context" if nothing was found to answer from; else why the LLM failed.
        usage: the tokens that it took.
    """

    text: str
    retrieved: Retrieved
    citations: tuple[int, ...]
    llm: str
    outcome: Outcome
    usage: Usage

    def _repr_html_(self) -> str:
        """Return what Jupyter shows."""
        return answer_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print what IPython shows in a terminal."""
        printer.text(self.text)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON, without the retrieval."""
        return {
            "text": self.text,
            "citations": list(self.citations),
            "llm": self.llm,
            "outcome": self.outcome,
            "usage": self.usage.as_dict(),
            "token_counter": self.usage.token_counter,
        }


AnswerEvent = Retrieved | Delta | Answer
