"""What a request gets while the application of this process can not be opened: an empty result that says so."""

from __future__ import annotations

import time
import uuid

from rag_app import metrics
from rag_app.config import Settings
from rag_app.errors import StorageError, kind_of
from rag_app.factory import open_requests
from rag_app.logs import REQUEST_ID, get_logger, key_values
from rag_app.request import RetrievalOptions
from rag_app.schema import Emptiness, RetrievalResult

logger = get_logger(__name__)


def answer_unopened(
    error: StorageError, settings: Settings, query: str, tenant: str, options: RetrievalOptions, started: float
) -> RetrievalResult:
    """Return the empty result, counted and logged as any other failure of a request is.

    Args:
        error: why the application can not be opened.
        settings: what it would be opened with.
        query: the question.
        tenant: whose documents were to be searched.
        options: what the call says of its retrieval.
        started: when the request came, by `time.perf_counter`.

    Raises:
        InvalidInputError: an argument can not be used.
    """
    request, method = open_requests(settings).checked(query, tenant, options)
    kind = kind_of(error)
    request.trace.degrade("fallback", "database", error, "empty result")
    request.trace.total_ms = (time.perf_counter() - started) * 1000
    by_flags = method == "by_flags"
    result = RetrievalResult(
        query=query,
        tenant=request.tenant,
        nodes=(),
        context="",
        tokens=0,
        token_counter="estimate",  # noqa: S106 - no password
        method="context_retriever",
        analysis=None,
        trace=request.trace,
        emptiness=Emptiness("failed", f"retrieval failed: {kind}"),
        failure=kind,
        variant="production_rag" if method == "production_rag" else "context_retriever",
        variant_reason="ERROR" if by_flags else "CALLED",
    )
    metrics.degraded(request.trace.degradations)
    metrics.retrieved(
        method=result.variant or result.method,
        primary_source=options.get("primary_source"),
        seconds=request.trace.total_ms / 1000,
        deadline_s=settings.deadline_s,
        scores=(),
        tokens=0,
        stages={},
        complexity=None,
        error_type=kind,
        empty_reason="failed",
    )
    fields: dict[str, object] = {
        "request": REQUEST_ID.get() or uuid.uuid4().hex[:12],
        "tenant": result.tenant,
        "method": result.method,
        "variant": result.variant,
        "variant_reason": result.variant_reason,
        "chunks": 0,
        "tokens": 0,
        "latency_ms": request.trace.total_ms,
        "Rerank": None,
        "empty": "failed",
        "failure": kind,
        "degraded": f"database:{kind}",
    }
    name = "ProductionRAG" if result.variant == "production_rag" else "ContextRetriever"
    logger.warning("%s %s", name, key_values(fields))
    return result
