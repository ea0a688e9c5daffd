"""A result as the plain dicts and lists that chat backends take."""

from __future__ import annotations

from typing import Any, TypedDict

from llama_index.core.schema import NodeWithScore

from rag_app.schema import RetrievalResult


class ContextChunk(TypedDict):
    """One chunk of the context; `score` is the reranker's, or the similarity where nothing was reranked."""

    content: str
    score: float
    source: str
    title: str
    doc_id: str
    node_id: str
    metadata: dict[str, Any]


class Degraded(TypedDict):
    """A part that failed, and what served instead."""

    stage: str
    component: str
    reason: str
    fallback: str


class Performance(TypedDict):
    """How a request went; times in milliseconds.

    `method` is the pipeline that answered, `variant` the one that the request was sent to, because it was `CALLED` by
    name or for the reason of the flag.
    """

    latency_ms: float
    stages_ms: dict[str, float]
    method: str
    variant: str
    variant_reason: str
    reranker: str | None
    reranker_reason: str | None
    degraded: bool
    degradations: list[Degraded]


class ContextResult(TypedDict):
    """What every retriever returns, whatever happened.

    `context` is the whole context rendered for the model, `total_tokens` its tokens by `token_counter`. `reason` says
    why there are no chunks, and is None if there are.
    """

    query: str
    primary_context: list[ContextChunk]
    secondary_context: list[ContextChunk]
    total_chunks: int
    context: str
    total_tokens: int
    token_counter: str
    retrieval_method: str
    reason: str | None
    warnings: list[str]
    performance: Performance


def as_context_result(result: RetrievalResult, primary_source: str | None) -> ContextResult:
    """Return a result as plain dicts and lists, its chunks divided into primary and secondary."""
    trace = result.trace
    chunks = [_chunk(node) for node in result.nodes]
    is_primary = [primary_source is None or chunk["source"] == primary_source for chunk in chunks]
    return ContextResult(
        query=result.query,
        primary_context=[chunk for chunk, primary in zip(chunks, is_primary, strict=True) if primary],
        secondary_context=[chunk for chunk, primary in zip(chunks, is_primary, strict=True) if not primary],
        total_chunks=len(chunks),
        context=result.context,
        total_tokens=result.tokens,
        token_counter=result.token_counter,
        retrieval_method=result.method,
        reason=result.reason,
        warnings=list(trace.warnings),
        performance=Performance(
            latency_ms=trace.total_ms,
            stages_ms={stage.name: stage.ms for stage in trace.stages},
            method=result.method,
            variant=result.variant or result.method,
            variant_reason=result.variant_reason or "CALLED",
            reranker=trace.reranker,
            reranker_reason=trace.reranker_reason,
            degraded=result.degraded,
            degradations=[
                Degraded(stage=entry.stage, component=entry.component, reason=entry.reason, fallback=entry.fallback)
                for entry in trace.degradations
            ],
        ),
    )


def _chunk(scored: NodeWithScore) -> ContextChunk:
    metadata = scored.node.metadata
    return ContextChunk(
        content=scored.node.get_content(),
        score=float(scored.score or 0.0),
        source=metadata.get("source", ""),
        title=metadata.get("title", ""),
        doc_id=metadata.get("doc_id", ""),
        node_id=scored.node.node_id,
        metadata=dict(metadata),
    )
