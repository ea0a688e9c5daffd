"""The calls that chat backends make, by class and by name, on the application of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, TypedDict

from llama_index.core.schema import NodeWithScore

from rag_app import metrics
from rag_app.errors import InvalidInputError
from rag_app.flags import FlagChange
from rag_app.flags.who import system_user
from rag_app.process_app import adefault_app, default_app
from rag_app.schema import RetrievalResult
from rag_app.serving import Method


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


def tenant_of(user: object) -> str:
    """Return the tenant that a user names: its `pk`, else its `id`, else the string or integer that it is.

    Raises:
        InvalidInputError: it has neither, or is not saved yet.
    """
    named = getattr(user, "pk", None)
    if named is None:
        named = getattr(user, "id", user)
    if isinstance(named, bool) or named is None or (named is user and not isinstance(user, str | int)):
        raise InvalidInputError(
            f"user must be a string, an integer, or an object with a pk or id that is set, not {type(user).__name__}"
        )
    return str(named)


class _Retriever:
    """The calls that both retrievers share."""

    _method: ClassVar[Method]

    @classmethod
    def retrieve_context(
        cls,
        query: str,
        user: object,
        primary_source: str | None = None,
        secondary_sources: Sequence[str] | None = None,
        primary_budget: int | None = None,
        secondary_budget: int | None = None,
    ) -> ContextResult:
        """Find the context for a question.

        Args:
            query: the customer's question, as typed.
            user: whose documents may be found: any object with a `pk` or `id`, or a string or integer.
            primary_source: the source that gets the primary budget; None searches all sources.
            secondary_sources: the sources that share the secondary budget.
            primary_budget: tokens for the primary source; the configured one if None.
            secondary_budget: tokens for the secondary sources; the configured one if None.

        Raises:
            InvalidInputError: an argument can not be used. What fails inside is told in the result instead.
            ConfigurationError: the application of this process can not be opened as it is configured.
            StorageError: its database does not answer when it is opened.
        """
        result = default_app().retrieve(
            query,
            tenant=tenant_of(user),
            primary_source=primary_source,
            secondary_sources=secondary_sources or (),
            primary_budget=primary_budget,
            secondary_budget=secondary_budget,
            method=cls._method,
        )
        return as_context_result(result, primary_source)

    @classmethod
    async def aretrieve_context(
        cls,
        query: str,
        user: object,
        primary_source: str | None = None,
        secondary_sources: Sequence[str] | None = None,
        primary_budget: int | None = None,
        secondary_budget: int | None = None,
    ) -> ContextResult:
        """Do what `retrieve_context` does, without blocking the loop."""
        app = await adefault_app()
        result = await app.aretrieve(
            query,
            tenant=tenant_of(user),
            primary_source=primary_source,
            secondary_sources=secondary_sources or (),
            primary_budget=primary_budget,
            secondary_budget=secondary_budget,
            method=cls._method,
        )
        return as_context_result(result, primary_source)


class ProductionRAG(_Retriever):
    """The four stages; what fails falls back, at worst to `ContextRetriever` and then to an empty result."""

    _method = "production_rag"


class ContextRetriever(_Retriever):
    """The old way: the nearest chunks by embedding, cut to the budget."""

    _method = "context_retriever"


class _ByFlags(_Retriever):
    """The one of the two that the flags choose for the user."""

    _method = "by_flags"


retrieve_context = _ByFlags.retrieve_context
aretrieve_context = _ByFlags.aretrieve_context


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


class FeatureFlags:
    """What can be changed while every process runs; each change acts everywhere within a few seconds.

    `rag_app.flags` lists the flags, and says how a share of the users is chosen.
    """

    @staticmethod
    def is_enabled(name: str, user: object = None) -> bool:
        """Tell whether a flag is on, for `user` if one is given.

        Raises:
            InvalidInputError: there is no such flag, or it is not one that can be on or off.
        """
        return default_app().flags.is_enabled(name, None if user is None else tenant_of(user))

    @staticmethod
    def get_value(name: str) -> Any:
        """Return the value in force: what was set, unless its time is over, else the configured one."""
        return default_app().flags.get_value(name)

    @staticmethod
    def set_flag(name: str, value: Any, ttl: float | None = None, changed_by: str | None = None) -> None:
        """Set a flag for every process.

        Args:
            name: the flag.
            value: its new value.
            ttl: after how many seconds it falls back by itself; never if None.
            changed_by: who is to be named in the history; the user of the operating system if None.

        Raises:
            InvalidInputError: there is no such flag, or it can not have this value.
            StorageError: the change could not be stored; the old value holds.
        """
        default_app().flags.set(name, value, ttl=ttl, changed_by=changed_by or system_user())

    @staticmethod
    def unset_flag(name: str, changed_by: str | None = None) -> None:
        """Have a flag be as configured again."""
        default_app().flags.unset(name, changed_by=changed_by or system_user())

    @staticmethod
    def get_all_flags() -> dict[str, dict[str, Any]]:
        """Return every flag by name: `enabled`, `value`, `default`, `set`, `expires_in_s`, who changed it and when."""
        return default_app().flags.all()

    @staticmethod
    def history(name: str | None = None, limit: int = 50) -> list[FlagChange]:
        """Return who changed what and when, newest first."""
        return default_app().flags.history(name, limit)

    @staticmethod
    async def ais_enabled(name: str, user: object = None) -> bool:
        """Do what `is_enabled` does, without blocking the loop."""
        return (await adefault_app()).flags.is_enabled(name, None if user is None else tenant_of(user))

    @staticmethod
    async def aget_value(name: str) -> Any:
        """Do what `get_value` does, without blocking the loop."""
        return (await adefault_app()).flags.get_value(name)

    @classmethod
    async def aset_flag(cls, name: str, value: Any, ttl: float | None = None, changed_by: str | None = None) -> None:
        """Do what `set_flag` does, without blocking the loop."""
        await asyncio.to_thread(cls.set_flag, name, value, ttl, changed_by)

    @classmethod
    async def aunset_flag(cls, name: str, changed_by: str | None = None) -> None:
        """Do what `unset_flag` does, without blocking the loop."""
        await asyncio.to_thread(cls.unset_flag, name, changed_by)

    @classmethod
    async def aget_all_flags(cls) -> dict[str, dict[str, Any]]:
        """Do what `get_all_flags` does, without blocking the loop."""
        return await asyncio.to_thread(cls.get_all_flags)


class RAGMetrics:
    """What was measured in this process, or in all workers where `PROMETHEUS_MULTIPROC_DIR` is set."""

    @staticmethod
    def get_cached_metrics() -> dict[str, Any]:
        """Return the figures as a plain dict, at most a second old."""
        return metrics.cached_metrics()

    @staticmethod
    async def aget_cached_metrics() -> dict[str, Any]:
        """Do what `get_cached_metrics` does, without blocking the loop."""
        return await asyncio.to_thread(metrics.cached_metrics)

    @staticmethod
    def exposition() -> bytes:
        """Return the metrics as Prometheus scrapes them; `rag_app.metrics.CONTENT_TYPE` is their type."""
        return metrics.exposition()

    @staticmethod
    def start_http_server(port: int = 9400, host: str = "127.0.0.1") -> int:
        """Serve the metrics for Prometheus from a thread, and return the port; 0 takes a free one."""
        return metrics.start_http_server(port, host)
