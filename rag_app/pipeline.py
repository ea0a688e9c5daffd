"""The four stages in order: deadline, degradation and trace; nothing else.

::

    query ──▶ ① query_analysis ──▶ ② retrieval ──▶ ③ rerank ──▶ ④ context ──▶ result
                language             dense ┐          cross-encoder   deduplication
                complexity                 ├ RRF      or lexical      parent expansion
                intent               BM25  ┘                          token budget
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import islice, pairwise

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore

from rag_app import metrics
from rag_app.errors import RagAppError, unknown_name
from rag_app.query_analysis import QueryAnalyzer
from rag_app.retrievers import HybridRetriever
from rag_app.schema import (
    Deadline,
    QueryAnalysis,
    Reading,
    RetrievalQuery,
    RetrievalResult,
    TenantSnapshot,
    TokenCounter,
)
from rag_app.storage import TenantCatalog
from rag_app.trace import Ranked, StageName, WordTrace

logger = logging.getLogger(__name__)

METHOD = "production_rag"
RESERVE_S = 0.15  # what each step that is still to come needs at worst when the time is short
GRACE_S = 0.05  # for a reranker that stops at its deadline by itself, to hand over what it has
SHOWN_MATCHES = 5  # of each word, in the trace
RenderContext = Callable[[Sequence[NodeWithScore]], str]
ReadQuery = Callable[[RetrievalQuery], Awaitable[Reading | None]]


class RetrievalPipeline:
    """Turns a query into a context. A part that fails degrades the result and is noted in its trace; nothing is raised.

    Args:
        analyzer: stage 1.
        catalog: what each tenant has stored.
        read: finds what the words of a question mean among those of the tenant's texts.
        retriever: stage 2.
        rerankers: stage 3, by name, in the order they are tried; if all fail, the fused order stays.
        context: stage 4, in order.
        render: makes the context's text of the nodes that are left.
        counter: counts its tokens.
    """

    def __init__(
        self,
        *,
        analyzer: QueryAnalyzer,
        catalog: TenantCatalog,
        read: ReadQuery,
        retriever: HybridRetriever,
        rerankers: dict[str, BaseNodePostprocessor],
        context: Sequence[BaseNodePostprocessor],
        render: RenderContext,
        counter: TokenCounter,
    ) -> None:
        self.analyzer = analyzer
        self.catalog = catalog
        self.read = read
        self.retriever = retriever
        self.rerankers = rerankers
        self.context = context
        self.render = render
        self.counter = counter

    async def arun(self, query: RetrievalQuery) -> RetrievalResult:
        """Run the stages within the query's deadline."""
        started = time.perf_counter()
        trace = query.trace
        analysis: QueryAnalysis | None = None
        nodes: list[NodeWithScore] = []
        reason = self._refusal(query)
        if reason is None:
            with trace.stage("query_analysis"):
                analysis = self._analyze(query)
            with trace.stage("retrieval") as stage:
                nodes, reason = await self._retrieve(query)
                stage.candidates = len(nodes)
            if nodes:
                with trace.stage("rerank") as stage:
                    nodes = await self._rerank(query, nodes)
                    stage.candidates = len(nodes)
                with trace.stage("context") as stage:
                    nodes = self._held_to_budget(query, await self._fit(query, nodes))
                    stage.candidates = len(nodes)
                if not nodes:
                    reason = f"no chunk fits the budget of {query.budget.total if query.budget else 0} tokens"
        for place, node in enumerate(nodes, start=1):
            if (chunk := trace.chunks.get(node.node.node_id)) is not None:
                chunk.context = place
        text = self.render(nodes)
        trace.total_ms = (time.perf_counter() - started) * 1000
        metrics.degraded(trace.degradations)
        return RetrievalResult(
            query=query.query_str,
            tenant=query.tenant,
            nodes=tuple(nodes),
            context=text,
            tokens=self.counter.count(text),
            token_counter=self.counter.name,
            method=METHOD,
            analysis=analysis,
            trace=trace,
            reason=None if nodes else reason,
        )

    @staticmethod
    def _refusal(query: RetrievalQuery) -> str | None:
        if not query.query_str.strip():
            return "the query is empty"
        if query.budget is not None and query.budget.total == 0:
            return "the token budget is 0"
        return None

    def _analyze(self, query: RetrievalQuery) -> QueryAnalysis | None:
        try:
            return self.analyzer.analyze(query.query_str)
        except Exception as error:  # noqa: BLE001 - the analysis informs; a request never fails for it
            self._degraded(query, "query_analysis", "analyzer", error, "none")
            return None

    async def _retrieve(self, query: RetrievalQuery) -> tuple[list[NodeWithScore], str | None]:
        """Return the fused candidates, and why there are none."""
        try:
            async with asyncio.timeout(_time_left(query, len(self.rerankers) + 1)):
                snapshot = await self.catalog.asnapshot(query.tenant)
                reason = _nothing_to_search(query, snapshot)
                if reason is not None:
                    return [], reason
                query.generation = snapshot.generation
                query.reading = await self._read(query)
                nodes = await self.retriever.aretrieve(query)
        except Exception as error:  # noqa: BLE001 - any failure of a component ends in an empty result that says why
            self._degraded(query, "retrieval", "retriever", error, "empty result")
            return [], f"retrieval failed: {_kind(error)}"
        own = [node for node in nodes if node.node.metadata.get("tenant") == query.tenant]
        if len(own) < len(nodes):
            logger.error("ProductionRAG dropped %d chunks of a foreign tenant", len(nodes) - len(own))
            query.trace.degrade("retrieval", "tenant check", "foreign chunks", "own chunks")
        return own, None if own else "no chunk matches the query"

    async def _read(self, query: RetrievalQuery) -> Reading | None:
        """Return how the question is understood; half of the time that is left is kept for the search itself."""
        try:
            async with asyncio.timeout(query.deadline.remaining() / 2):
                reading = await self.read(query)
        except Exception as error:  # noqa: BLE001 - the words are searched as they were typed
            self._degraded(query, "retrieval", "vocabulary", error, "words as typed")
            return None
        if reading is not None:
            query.trace.words = [
                WordTrace(word.typed, word.meant, word.weight, dict(islice(word.matches.items(), SHOWN_MATCHES)))
                for word in reading.words
            ]
        return reading

    async def _rerank(self, query: RetrievalQuery, nodes: list[NodeWithScore]) -> list[NodeWithScore]:
        names = [*self.rerankers, "fused order"]
        for steps_to_come, (name, following) in zip(range(len(self.rerankers), 0, -1), pairwise(names), strict=True):
            seconds = _time_left(query, steps_to_come)
            try:
                async with asyncio.timeout(seconds + GRACE_S):
                    step = replace(query, deadline=Deadline.after(seconds))
                    reranked = await self.rerankers[name].apostprocess_nodes(nodes, step)
            except Exception as error:  # noqa: BLE001 - the next reranker, and at last the fused order, serves instead
                self._degraded(query, "rerank", name, error, following)
                continue
            if not any(node.score for node in reranked):
                continue  # it had no time to score anything, and has noted that
            _served(query, name)
            for rank, node in enumerate(reranked, start=1):
                if (chunk := query.trace.chunks.get(node.node.node_id)) is not None:
                    chunk.rerank = Ranked(rank, node.score or 0.0)
            return reranked
        _served(query, "fused order")
        return nodes

    async def _fit(self, query: RetrievalQuery, nodes: list[NodeWithScore]) -> list[NodeWithScore]:
        for postprocessor in self.context:
            try:
                async with asyncio.timeout(_time_left(query, 0)):
                    nodes = await postprocessor.apostprocess_nodes(nodes, query)
            except Exception as error:  # noqa: BLE001 - the chunks go on as they are
                self._degraded(query, "context", postprocessor.class_name(), error, "left out")
        return nodes

    def _held_to_budget(self, query: RetrievalQuery, nodes: list[NodeWithScore]) -> list[NodeWithScore]:
        """Drop the last chunks while the context is over the budget, whatever the postprocessors did."""
        budget = query.budget
        while budget is not None and nodes and self.counter.count(self.render(nodes)) > budget.total:
            query.trace.drop(nodes[-1].node.node_id, "context", f"does not fit the budget of {budget.total} tokens")
            nodes = nodes[:-1]
        return nodes

    @staticmethod
    def _degraded(query: RetrievalQuery, stage: StageName, component: str, error: Exception, fallback: str) -> None:
        query.trace.degrade(stage, component, error, fallback)
        detail = str(error) if isinstance(error, RagAppError) else ""
        logger.warning(
            "ProductionRAG %s: %s failed, %s serves: %s %s", stage, component, fallback, _kind(error), detail
        )


def _time_left(query: RetrievalQuery, steps_to_come: int) -> float:
    """Return the seconds that a step may take so that those after it still have theirs."""
    return max(0.0, query.deadline.remaining() - RESERVE_S * steps_to_come)


def _served(query: RetrievalQuery, reranker: str) -> None:
    """Note which reranker served, and why this one."""
    failed = [f"{entry.component}: {entry.reason}" for entry in query.trace.degradations if entry.stage == "rerank"]
    query.trace.reranker = reranker
    query.trace.reranker_reason = "; ".join(failed) or "configured"


def _kind(error: Exception) -> str:
    return "out of time" if isinstance(error, TimeoutError) else type(error).__name__


def _nothing_to_search(query: RetrievalQuery, snapshot: TenantSnapshot) -> str | None:
    """Return why there is nothing to search, and warn of sources that the tenant does not have."""
    if not snapshot.documents:
        why = "nothing was ever ingested for it" if snapshot.generation == 0 else "all were deleted"
        return f"tenant {query.tenant!r} has no documents: {why}"
    if query.sources is None:
        return None
    unknown = [source for source in query.sources if source not in snapshot.documents]
    query.trace.warnings += [unknown_name("source", source, snapshot.documents) for source in unknown]
    if len(unknown) == len(query.sources):
        return "; ".join(query.trace.warnings)
    return None
