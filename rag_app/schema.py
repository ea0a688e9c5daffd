"""The types that travel between the stages: the query, its budget and deadline, and the results."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag_app.errors import InvalidAnswerError, InvalidInputError
from rag_app.filters import FieldFilter
from rag_app.trace import Trace

MAX_NAME_LENGTH = 200


def checked_name(what: str, value: object) -> str:
    """Return `value` if it can name a tenant, a source or a document.

    Values are compared exactly and never coerced: "123" is not "۱۲۳".

    Raises:
        InvalidInputError: not a string, empty, over 200 characters, or not storable as text.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} must be a string, not {type(value).__name__}: {_shown(value)}")
    if not value.strip():
        raise InvalidInputError(f"{what} is empty")
    if len(value) > MAX_NAME_LENGTH:
        raise InvalidInputError(f"{what} has {len(value)} characters; the limit is {MAX_NAME_LENGTH}")
    if any(char < " " or "\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInputError(f"{what} {value!r:.80} holds control characters or lone surrogates")
    return value


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"


class TokenCounter(Protocol):
    """Counts tokens as the model that reads the context does, or never fewer."""

    name: str

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        ...


@dataclass(frozen=True)
class TokenBudget:
    """How many tokens the context may hold.

    With no `primary_source`, every chunk is primary. What one share does not use, the other may.

    Raises:
        InvalidInputError: a share is negative or no integer.
    """

    primary: int
    secondary: int
    primary_source: str | None = None

    def __post_init__(self) -> None:
        for name in ("primary", "secondary"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidInputError(f"{name}_budget must be 0 or more tokens, not {value!r}")

    @property
    def total(self) -> int:
        """Both shares together."""
        return self.primary + self.secondary

    def is_primary(self, source: str) -> bool:
        """Tell whether chunks of `source` draw on the primary share first."""
        return self.primary_source is None or source == self.primary_source


@dataclass(frozen=True)
class Deadline:
    """The moment by which a request must be answered, on the monotonic clock."""

    at: float = math.inf

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that lies `seconds` ahead."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, 0 when it has passed."""
        return max(0.0, self.at - time.monotonic())


@dataclass(frozen=True)
class QueryWord:
    """One word of a question, and the words of the texts that it may stand for.

    Attributes:
        typed: the word, folded.
        weight: how much it tells, above 0.
        matches: how similar each word of the texts is, above 0 to 1.
        meant: the best of them for a word that is misspelt or in Latin letters, else the word itself.
    """

    typed: str
    weight: float
    matches: Mapping[str, float]
    meant: str


@dataclass(frozen=True)
class Reading:
    """A question as it was understood from the words of a tenant's texts.

    Attributes:
        words: its telling words, in order.
        text: the question with what was meant for what was typed; what embeddings and models read.
    """

    words: tuple[QueryWord, ...]
    text: str


@dataclass(frozen=True)
class RequestOptions:
    """What may differ from request to request; None leaves it to each component.

    Attributes:
        dense_top_k: the most chunks of the dense leg.
        sparse_top_k: the most chunks of the BM25 leg.
        fusion_top_k: the most chunks after fusion.
        rerank_top_k: the most chunks in the context.
        cross_encoder: whether the cross-encoder may rank, where there is one.
    """

    dense_top_k: int | None = None
    sparse_top_k: int | None = None
    fusion_top_k: int | None = None
    rerank_top_k: int | None = None
    cross_encoder: bool = True


@dataclass
class RetrievalQuery(QueryBundle):
    """A LlamaIndex query that knows whose it is; every leg and postprocessor gets it.

    Attributes:
        tenant: whose documents may be found.
        sources: the sources to search, or None for all.
        filters: what the metadata of a document must pass to be found.
        generation: the tenant's generation when the request began; it moves with each write.
        doc_ids: the documents that pass `filters`; None without filters, or while that is not known.
        ef_search: how many nodes of the tenant's HNSW index a search keeps; None compares all chunks.
        reading: how the question was understood; None if that failed or was not tried.
    """

    tenant: str = ""
    sources: tuple[str, ...] | None = None
    filters: tuple[FieldFilter, ...] = ()
    generation: int = 0
    doc_ids: frozenset[str] | None = None
    ef_search: int | None = None
    reading: Reading | None = None
    budget: TokenBudget | None = None
    deadline: Deadline = field(default_factory=Deadline)
    options: RequestOptions = RequestOptions()
    trace: Trace = field(default_factory=Trace)

    @property
    def refusal(self) -> Emptiness | None:
        """Why there is nothing to do for this query, or None."""
        if not self.query_str.strip():
            return Emptiness("empty query", "the query is empty")
        if self.budget is not None and self.budget.total == 0:
            return Emptiness("no budget", "the token budget is 0")
        return None

    @classmethod
    def of(cls, query_bundle: QueryBundle | None) -> RetrievalQuery:
        """Return the query as ours.

        Raises:
            InvalidInputError: it names no tenant, and nothing may be searched without one.
        """
        if not isinstance(query_bundle, RetrievalQuery):
            raise InvalidInputError("this component needs a RetrievalQuery(query_str=..., tenant=...)")
        checked_name("tenant", query_bundle.tenant)
        if query_bundle.filters and query_bundle.doc_ids is None:
            raise InvalidInputError("the query has filters, and nobody found out which documents pass them")
        return query_bundle


def scored_list(answer: object) -> list[NodeWithScore]:
    """Return what a component gave if it is a list of nodes, with numbers or nothing for scores.

    Raises:
        InvalidAnswerError: it is something else.
    """
    if not isinstance(answer, list) or not all(isinstance(entry, NodeWithScore) for entry in answer):
        raise InvalidAnswerError(f"a component gave no list of scored nodes but a {type(answer).__name__}")
    if not all(entry.score is None or math.isfinite(entry.score) for entry in answer):
        raise InvalidAnswerError("a component gave a score that is no number")
    return answer


def chosen_from(given: Sequence[NodeWithScore], answer: object, *, may_be_empty: bool = False) -> list[NodeWithScore]:
    """Return the nodes that a postprocessor gave if they are some of those it was given, each once.

    Raises:
        InvalidAnswerError: they are something else.
    """
    nodes = scored_list(answer)
    ids = {node.node.node_id for node in nodes}
    if len(ids) < len(nodes) or not ids <= {node.node.node_id for node in given}:
        raise InvalidAnswerError("a postprocessor gave nodes that it was not given, or one twice")
    if not nodes and not may_be_empty:
        raise InvalidAnswerError("a postprocessor left no node")
    return nodes


def trace_of(query_bundle: QueryBundle | None) -> Trace:
    """Return the recorder that travels with the query, or a fresh one for a query without."""
    return query_bundle.trace if isinstance(query_bundle, RetrievalQuery) else Trace()


@dataclass(frozen=True)
class TenantSnapshot:
    """What a tenant has stored.

    Attributes:
        generation: moves with each write; 0 if nothing was ever stored.
        documents: how many documents each source has.
        chunks: how many chunks each source has.
        ef_search: how its HNSW index is to be searched; None if there is none to be used.
    """

    tenant: str
    generation: int
    documents: Mapping[str, int]
    chunks: Mapping[str, int]
    ef_search: int | None = None

    def chunks_in(self, sources: Sequence[str] | None) -> int:
        """Return how many chunks these sources have; None for all."""
        return sum(count for source, count in self.chunks.items() if sources is None or source in sources)


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


class Emptiness(NamedTuple):
    """Why a result holds no chunk.

    Attributes:
        kind: "empty query", "no budget", "no documents", "unknown source", "no match" or "failed".
        text: the same in a sentence that names the tenant, the source or the failure.
    """

    kind: str
    text: str


NO_MATCH = Emptiness("no match", "no chunk matches the query")
NOTHING_PASSES = Emptiness("no match", "no document passes the filters")


@dataclass(frozen=True)
class RetrievalResult:
    """The context for one question, and how it came about.

    Attributes:
        nodes: the chunks in the context, best first within primary and then secondary.
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


@dataclass(frozen=True)
class ParsedDocument:
    """A document ready to be written: its parents, and the embedded children that point to them."""

    doc_id: str
    source: str
    title: str
    content_hash: str
    metadata: dict[str, Any]
    parents: list[TextNode]
    children: list[TextNode]
    tokens: list[list[str]]


@dataclass(frozen=True)
class Skipped:
    """An input that was not ingested, and why."""

    origin: str
    reason: str


@dataclass(frozen=True)
class IngestReport:
    """What an ingestion did; counts are of documents, `chunks` are those written."""

    added: int
    updated: int
    unchanged: int
    deleted: int
    chunks: int
    skipped: tuple[Skipped, ...]
    seconds: float
