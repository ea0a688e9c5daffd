"""The types that travel between the stages: the query, its budget and deadline, the documents and the results."""

from rag_app.schema.answer import Answer, AnswerEvent, Delta, Outcome, Retrieved, Usage
from rag_app.schema.budget import ContextTokenCounter, TokenBudget, TokenCounter
from rag_app.schema.checks import chosen_from, scored_list
from rag_app.schema.documents import FoundInParent, IngestReport, ParsedDocument, Skipped, TenantSnapshot
from rag_app.schema.names import MAX_NAME_LENGTH, checked_name
from rag_app.schema.query import (
    NO_MATCH,
    NOTHING_PASSES,
    Deadline,
    Emptiness,
    QueryWord,
    Reading,
    RequestOptions,
    RetrievalQuery,
    trace_of,
)
from rag_app.schema.result import QueryAnalysis, RetrievalResult

__all__ = [
    "MAX_NAME_LENGTH",
    "NOTHING_PASSES",
    "NO_MATCH",
    "Answer",
    "AnswerEvent",
    "ContextTokenCounter",
    "Deadline",
    "Delta",
    "Emptiness",
    "FoundInParent",
    "IngestReport",
    "Outcome",
    "ParsedDocument",
    "QueryAnalysis",
    "QueryWord",
    "Reading",
    "RequestOptions",
    "RetrievalQuery",
    "RetrievalResult",
    "Retrieved",
    "Skipped",
    "TenantSnapshot",
    "TokenBudget",
    "TokenCounter",
    "Usage",
    "checked_name",
    "chosen_from",
    "scored_list",
    "trace_of",
]
