"""The query that travels through the stages, with its deadline and its options."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from llama_index.core.schema import QueryBundle

from rag_app.errors import InvalidInputError
from rag_app.filters import FieldFilter
from rag_app.schema.budget import TokenBudget
from rag_app.schema.names import checked_name
from rag_app.trace import Trace


@dataclass(frozen=True)
class Deadline:
    """The moment by which a request must be answered, on the monotonic clock, and how long it had when it began."""

    at: float = math.inf
    seconds: float = math.inf

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that lies `seconds` ahead."""
        return cls(time.monotonic() + seconds, seconds)

    def anew(self) -> Deadline:
        """Return the same deadline as if it began now."""
        return Deadline.after(self.seconds)

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
        stored_embedding: the fingerprint of the embedding that the stored vectors are of; None if that is not known.
        stored_chunks: how many chunks the tenant has, of all sources; None if that is not known.
        reading: how the question was understood; None if that failed or was not tried.
    """

    tenant: str = ""
    sources: tuple[str, ...] | None = None
    filters: tuple[FieldFilter, ...] = ()
    generation: int = 0
    doc_ids: frozenset[str] | None = None
    ef_search: int | None = None
    stored_embedding: str | None = None
    stored_chunks: int | None = None
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


def trace_of(query_bundle: QueryBundle | None) -> Trace:
    """Return the recorder that travels with the query, or a fresh one for a query without."""
    return query_bundle.trace if isinstance(query_bundle, RetrievalQuery) else Trace()
