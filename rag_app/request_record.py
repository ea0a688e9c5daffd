"""What is kept of a request: its figures, and its one line in the log."""

from __future__ import annotations

import logging

from rag_app import metrics
from rag_app.logs import get_logger, key_values
from rag_app.schema import RetrievalResult

logger = get_logger("rag_app.serving")

_LOG_NAMES = {"production_rag": "ProductionRAG", "context_retriever": "ContextRetriever"}


def count_run(run: RetrievalResult, primary_source: str | None, deadline_s: float) -> None:
    """Count the run of a pipeline under its method.

    Args:
        run: what it found.
        primary_source: what the request asked for; None if it did not.
        deadline_s: the time that the request had.
    """
    metrics.degraded(run.trace.degradations)
    metrics.retrieved(
        method=run.method,
        primary_source=primary_source,
        seconds=run.trace.total_ms / 1000,
        deadline_s=deadline_s,
        scores=[(node.node.metadata.get("source", ""), node.score or 0.0) for node in run.nodes],
        tokens=run.tokens,
        stages={stage.name: stage.ms / 1000 for stage in run.trace.stages},
        complexity=run.analysis.complexity if run.analysis is not None else None,
        error_type=run.failure,
        empty_reason=run.emptiness.kind if run.emptiness is not None else None,
    )


def log_request(result: RetrievalResult, request_id: str) -> None:
    """Write the one line of a request: greppable, and without a word of the customer's."""
    level = logging.WARNING if result.failure is not None or result.method != result.variant else logging.INFO
    if not logger.isEnabledFor(level):
        return
    trace = result.trace
    fields: dict[str, object] = {
        "request": request_id,
        "tenant": result.tenant,
        "method": result.method,
        "variant": result.variant,
        "variant_reason": result.variant_reason,
        "chunks": len(result.nodes),
        "tokens": result.tokens,
        "latency_ms": trace.total_ms,
        **{f"{stage.name}_ms": stage.ms for stage in trace.stages},
        "Rerank": trace.reranker,
        "empty": result.emptiness.kind if result.emptiness is not None else None,
        "failure": result.failure,
        "degraded": ",".join(f"{entry.component}:{entry.reason}" for entry in trace.degradations) or None,
    }
    logger.log(level, "%s %s", _LOG_NAMES[result.variant or result.method], key_values(fields))
