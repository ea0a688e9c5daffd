"""The four stages in order: deadline, degradation and trace; nothing else.

::

    query ──▶ ① query_analysis ──▶ ② retrieval ──▶ ③ rerank ──▶ ④ context ──▶ result
                language             dense ┐          cross-encoder   deduplication
                complexity                 ├ RRF      or lexical      parent expansion
                intent               BM25  ┘                          token budget
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise
from types import NoneType
from typing import TypeVar

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore

from rag_app.breaker import CircuitBreaker
from rag_app.context_writer import ContextWriter
from rag_app.errors import InvalidAnswerError, RagAppError, kind_of, unknown_name
from rag_app.logs import get_logger
from rag_app.query_analysis import QueryAnalyzer
from rag_app.retrievers import EveryLegFailedError, HybridRetriever, ask
from rag_app.schema import (
    NO_MATCH,
    NOTHING_PASSES,
    Deadline,
    Emptiness,
    QueryAnalysis,
    Reading,
    RetrievalQuery,
    RetrievalResult,
    TenantSnapshot,
    chosen_from,
    scored_list,
)
from rag_app.storage import TenantCatalog
from rag_app.trace import Ranked, StageName, WordTrace

logger = get_logger(__name__)

RESERVE_S = 0.15  # what each step that is still to come needs at worst when the time is short
GRACE_S = 0.05  # for a part that stops at its deadline by itself, to hand over what it has
FAIR_S = 0.1  # a part that had less and ran out of time is not to blame
SHOWN_MATCHES = 5  # of each word, in the trace
ReadQuery = Callable[[RetrievalQuery], Awaitable[Reading | None]]
T = TypeVar("T")


class RetrievalPipeline:
    """Turns a query into a context. A part that fails degrades the result and is noted in its trace; nothing is raised.

    A part that keeps failing or hanging is not tried for a while. Only where nothing could be searched does the result
    have a `failure`.

    Args:
        analyzer: stage 1.
        catalog: what each tenant has stored.
        read: finds what the words of a question mean among those of the tenant's texts.
        retriever: stage 2.
        rerankers: stage 3, by name, in the order they are tried; if all fail, the fused order stays.
        context: stage 4, in order; the last alone may leave no node.
        writer: renders what is left.
    """

    method = "production_rag"

    def __init__(
        self,
        *,
        analyzer: QueryAnalyzer,
        catalog: TenantCatalog,
        read: ReadQuery,
        retriever: HybridRetriever,
        rerankers: dict[str, BaseNodePostprocessor],
        context: Sequence[BaseNodePostprocessor],
        writer: ContextWriter,
    ) -> None:
        self.analyzer = analyzer
        self.catalog = catalog
        self.read = read
        self.retriever = retriever
        self.rerankers = rerankers
        self.context = context
        self.writer = writer
        self._breakers: defaultdict[str, CircuitBreaker] = defaultdict(
            lambda: CircuitBreaker(retry_after_s=5, longest_s=60, threshold=5)
        )

    async def arun(self, query: RetrievalQuery) -> RetrievalResult:
        """Run the stages within the query's deadline."""
        started = time.perf_counter()
        trace = query.trace
        analysis: QueryAnalysis | None = None
        context = self.writer.nothing()
        emptiness, failure = query.refusal, None
        if emptiness is None:
            with trace.stage("query_analysis"):
                analysis = await self._analyze(query)
            with trace.stage("retrieval") as stage:
                nodes, emptiness, failure = await self._retrieve(query)
                stage.candidates = len(nodes)
            if nodes:
                with trace.stage("rerank") as stage:
                    nodes = await self._rerank(query, nodes)
                    stage.candidates = len(nodes)
                with trace.stage("context") as stage:
                    context = await self.writer.awrite(query, await self._fit(query, nodes))
                    stage.candidates = len(context.nodes)
                emptiness = _nothing_fits(query)
        result = self.writer.result(
            query, self.method, context, analysis=analysis, emptiness=emptiness, failure=failure
        )
        trace.total_ms = (time.perf_counter() - started) * 1000
        return result

    async def _guarded(
        self, component: str, seconds: float, work: Callable[[], Awaitable[object]], check: Callable[[object], T]
    ) -> T:
        """Await the work of a component for so long, unless it kept failing, and check what it gives."""
        with self._breakers[component].attempt(fair=seconds > FAIR_S):
            async with asyncio.timeout(seconds):
                answer = await work()
            return check(answer)

    async def _analyze(self, query: RetrievalQuery) -> QueryAnalysis | None:
        """Return the findings of stage 1, which inform; what hangs there may use a quarter of the time."""
        work = partial(asyncio.to_thread, self.analyzer.analyze, query.query_str)
        try:
            return await self._guarded("analyzer", query.deadline.remaining() / 4, work, _is(QueryAnalysis))
        except Exception as error:  # noqa: BLE001 - a request never fails for it
            self._degraded(query, "query_analysis", "analyzer", error, "none")
            return None

    async def _retrieve(self, query: RetrievalQuery) -> tuple[list[NodeWithScore], Emptiness | None, str | None]:
        """Return the fused candidates, why there are none, and the kind of error if one is to blame."""
        seconds = _time_left(query, len(self.rerankers) + 1)
        step = replace(query, deadline=Deadline.after(seconds))
        try:
            snapshot = await self._snapshot(step)
            emptiness = _nothing_to_search(query, snapshot) if snapshot is not None else None
            if emptiness is not None:
                return [], emptiness, None
            if snapshot is not None or query.filters:
                async with asyncio.timeout(step.deadline.remaining() / 2):
                    await self.catalog.aresolve(query, snapshot)
                step = replace(query, deadline=step.deadline)
            if query.doc_ids is not None and not query.doc_ids:
                return [], NOTHING_PASSES, None
            query.reading = step.reading = await self._read(step)
            async with asyncio.timeout(step.deadline.remaining() + 2 * RESERVE_S):  # its legs keep the time themselves
                nodes = scored_list(await ask(self.retriever, step))
        except EveryLegFailedError as error:
            failure = kind_of(error.__cause__ or error)
            return [], Emptiness("failed", f"retrieval failed: every leg did, the first by {failure}"), failure
        except Exception as error:  # noqa: BLE001 - any failure of a component ends in an empty result that says why
            self._degraded(query, "retrieval", "retriever", error, "fallback")
            return [], Emptiness("failed", f"retrieval failed: {kind_of(error)}"), kind_of(error)
        own = [node for node in nodes if node.node.metadata.get("tenant") == query.tenant]
        if len(own) < len(nodes):
            logger.error("ProductionRAG dropped %d chunks of a foreign tenant", len(nodes) - len(own))
            query.trace.degrade("retrieval", "tenant check", "foreign chunks", "own chunks")
        if own:
            return own, None, None
        searched_with = [entry for entry in query.trace.degradations if entry.component != "vocabulary"]
        lost = [entry.reason for entry in searched_with if entry.stage == "retrieval"]
        return [], NO_MATCH, lost[-1] if lost else None

    async def _snapshot(self, query: RetrievalQuery) -> TenantSnapshot | None:
        """Return what the tenant has stored; None if that can not be told, and the legs search what they know."""
        work = partial(self.catalog.asnapshot, query.tenant)
        try:
            return await self._guarded("catalog", query.deadline.remaining() / 4, work, _is(TenantSnapshot))
        except Exception as error:  # noqa: BLE001 - it is not needed for the search itself
            self._degraded(query, "retrieval", "catalog", error, "what the legs know")
            return None

    async def _read(self, query: RetrievalQuery) -> Reading | None:
        """Return how the question is understood; half of the time that is left is kept for the search itself."""
        try:
            work = partial(self.read, query)
            reading = await self._guarded("vocabulary", query.deadline.remaining() / 2, work, _is(Reading, NoneType))
        except Exception as error:  # noqa: BLE001 - the words are searched as they were typed
            self._degraded(query, "retrieval", "vocabulary", error, "words as typed")
            return None
        if reading is None:
            return None
        query.trace.words = [
            WordTrace(word.typed, word.meant, word.weight, dict(islice(word.matches.items(), SHOWN_MATCHES)))
            for word in reading.words
        ]
        return reading

    async def _rerank(self, query: RetrievalQuery, nodes: list[NodeWithScore]) -> list[NodeWithScore]:
        may_serve = [name for name in self.rerankers if query.options.cross_encoder or name != "cross_encoder"]
        names = [*may_serve, "fused order"]
        for steps_to_come, (name, following) in zip(range(len(may_serve), 0, -1), pairwise(names), strict=True):
            seconds = _time_left(query, steps_to_come)
            step = replace(query, deadline=Deadline.after(seconds))
            try:
                work = partial(self.rerankers[name].apostprocess_nodes, nodes, step)
                reranked = await self._guarded(name, seconds + GRACE_S, work, partial(chosen_from, nodes))
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
        for steps, postprocessor in zip(range(len(self.context), 0, -1), self.context, strict=True):
            component = postprocessor.class_name()
            try:
                work = partial(postprocessor.apostprocess_nodes, nodes, query)
                check = partial(chosen_from, nodes, may_be_empty=postprocessor is self.context[-1])
                nodes = await self._guarded(component, query.deadline.remaining() / steps, work, check)
            except Exception as error:  # noqa: BLE001 - the chunks go on as they are
                self._degraded(query, "context", component, error, "left out")
        return nodes

    @staticmethod
    def _degraded(query: RetrievalQuery, stage: StageName, component: str, error: Exception, fallback: str) -> None:
        query.trace.degrade(stage, component, error, fallback)
        detail = str(error) if isinstance(error, RagAppError) else ""
        logger.warning(
            "ProductionRAG %s: %s failed, %s serves: %s %s", stage, component, fallback, kind_of(error), detail
        )


def _is(*kinds: type[T]) -> Callable[[object], T]:
    """Return a check that lets answers of these types pass."""

    def check(answer: object) -> T:
        if not isinstance(answer, kinds):
            raise InvalidAnswerError(f"a {kinds[0].__name__} was expected, not a {type(answer).__name__}")
        return answer

    return check


def _time_left(query: RetrievalQuery, steps_to_come: int) -> float:
    """Return the seconds that a step may take so that those after it still have theirs."""
    return max(0.0, query.deadline.remaining() - RESERVE_S * steps_to_come)


def _served(query: RetrievalQuery, reranker: str) -> None:
    """Note which reranker served, and why this one."""
    failed = [f"{entry.component}: {entry.reason}" for entry in query.trace.degradations if entry.stage == "rerank"]
    off = [] if query.options.cross_encoder else ["the flag cross_encoder_reranking is off"]
    query.trace.reranker = reranker
    query.trace.reranker_reason = "; ".join([*off, *failed]) or "configured"


def _nothing_fits(query: RetrievalQuery) -> Emptiness:
    tokens = query.budget.total if query.budget is not None else 0
    return Emptiness("no budget", f"no chunk fits the budget of {tokens} tokens")


def _nothing_to_search(query: RetrievalQuery, snapshot: TenantSnapshot) -> Emptiness | None:
    """Return why there is nothing to search, and warn of sources that the tenant does not have."""
    if not snapshot.documents:
        why = "nothing was ever ingested for it" if snapshot.generation == 0 else "all were deleted"
        return Emptiness("no documents", f"tenant {query.tenant!r} has no documents: {why}")
    if query.sources is None:
        return None
    unknown = [source for source in query.sources if source not in snapshot.documents]
    query.trace.warnings += [unknown_name("source", source, snapshot.documents) for source in unknown]
    if len(unknown) == len(query.sources):
        return Emptiness("unknown source", "; ".join(query.trace.warnings))
    return None
