"""The context for one question, and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore

from rag_app.gemini import GeminiRequest, messages_of, request_of
from rag_app.schema.notebook import result_html
from rag_app.schema.query import Emptiness
from rag_app.schema.terminal import render_result
from rag_app.trace import Trace

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True)
class QueryAnalysis:
    """Stage 1's findings.

    Attributes:
        language: "fa", "en", "finglish" (Persian in Latin letters), "mixed" or "unknown".
        complexity: "simple", "moderate" or "complex"; `complexity_reason` says why.
        intent: what the customer wants, or "general"; `intent_reason` names the phrases that say so.
        preferred_sources: the sources that this intent is usually answered from, best first.
    """

    language: str
    complexity: str
    complexity_reason: str
    intent: str
    intent_reason: str
    preferred_sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class RetrievalResult:
    """The context for one question, and how it came about.

    Attributes:
        nodes: the chunks in the context: primary before secondary, and within each the most relevant first. Models
            overlook most in the middle of a long context and least at its two ends, and the end is the question.
        context: the chunks rendered for the model.
        tokens: the tokens of `context`, by `token_counter`.
        method: the pipeline that served.
        emptiness: why `nodes` is empty, else None.
        failure: what kept the pipeline from answering, as a kind of error; None if it answered, if with nothing.
        variant: the pipeline that the request was sent to; a failure may have made another one serve.
        variant_reason: why it was sent there: "CALLED" by name, or the reason of the flag.
    """

    query: str
    tenant: str
    nodes: tuple[NodeWithScore, ...]
    context: str
    tokens: int
    token_counter: str
    method: str
    analysis: QueryAnalysis | None
    trace: Trace
    emptiness: Emptiness | None = None
    failure: str | None = None
    variant: str | None = None
    variant_reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why `nodes` is empty, in a sentence, else None."""
        return self.emptiness.text if self.emptiness is not None else None

    @property
    def degraded(self) -> bool:
        """Tell whether any part failed and was made up for; the trace says which."""
        return bool(self.trace.degradations)

    def to_messages(self, history: Sequence[ChatMessage] = ()) -> list[ChatMessage]:
        """Return the request for an answer, for any LLM of LlamaIndex: `llm.chat(result.to_messages())`.

        Args:
            history: the turns before this question, the user's and the assistant's, oldest first.

        Raises:
            InvalidInputError: a message of the history is neither the user's nor the assistant's.
        """
        return messages_of(self.query, self.context, history)

    def to_gemini(self, history: Sequence[ChatMessage] = ()) -> GeminiRequest:
        """Return the same request for google-genai: `client.models.generate_content(model=..., **result.to_gemini())`.

        Args:
            history: the turns before this question, the user's and the assistant's, oldest first.

        Raises:
            InvalidInputError: a message of the history is neither the user's nor the assistant's.
        """
        return request_of(self.query, self.context, history)

    def _repr_html_(self) -> str:
        """Return what Jupyter shows."""
        return result_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print what IPython shows in a terminal."""
        printer.text(render_result(self))

    def __rich__(self) -> Text:
        """Return what `rich.print` shows: the same as `rag-app retrieve`."""
        from rich.text import Text

        return Text(render_result(self))

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, ready for JSON."""
        return {
            "query": self.query,
            "tenant": self.tenant,
            "method": self.method,
            "variant": self.variant,
            "variant_reason": self.variant_reason,
            "reason": self.reason,
            "degraded": self.degraded,
            "tokens": self.tokens,
            "token_counter": self.token_counter,
            "analysis": vars(self.analysis) if self.analysis else None,
            "chunks": [
                {
                    "node_id": scored.node.node_id,
                    "content": scored.node.get_content(),
                    "score": scored.score,
                    **scored.node.metadata,
                }
                for scored in self.nodes
            ],
            "context": self.context,
            "trace": self.trace.as_dict(),
        }
