"""Reciprocal rank fusion of legs that may be weighted, may be slow and may fail, each alone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.llms.mock import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import NodeWithScore

from rag_app.background import BackgroundLoop
from rag_app.breaker import CircuitBreaker
from rag_app.errors import ComponentError
from rag_app.retrievers.expansion import QueryExpansion
from rag_app.retrievers.searching import TenantRetriever, ask
from rag_app.schema import RetrievalQuery, scored_list
from rag_app.spans import span
from rag_app.trace import ChunkTrace, Ranked

_EXPANSION = "expansion"
_FURTHER_WEIGHT = 0.5
NO_LEG = "fallback"  # what serves when every leg failed: not this retriever's to know


class EveryLegFailedError(ComponentError):
    """No leg could search; each one's failure is noted in the query's trace."""


class HybridRetriever(TenantRetriever, QueryFusionRetriever):
    """QueryFusionRetriever in reciprocal-rank mode, whose legs have names, weights and a time limit.

    A chunk's fused score is the sum over the legs of weight / (rrf_k + rank), ranks from 1 (Cormack et al. 2009,
    "Reciprocal Rank Fusion Outperforms Condorcet"). Chunks are told apart by node id. A leg that raises or is late is
    left out and noted in the query's trace, as is every chunk's rank and score on each leg. One that keeps failing is
    not tried for a while.

    Args:
        legs: the retrievers by name.
        loop: where synchronous calls run.
        weights: the legs' weights; a leg that is not named weighs 1.
        similarity_top_k: the most chunks to return.
        leg_timeout_s: how long one leg may take, within the query's deadline.
        expansion: words each question in further ways, which are searched too and count half; None does not.

    Raises:
        EveryLegFailedError: on retrieval, when every leg failed.
    """

    def __init__(
        self,
        legs: Mapping[str, BaseRetriever],
        loop: BackgroundLoop,
        *,
        weights: Mapping[str, float] | None = None,
        similarity_top_k: int = 20,
        rrf_k: int = 60,
        leg_timeout_s: float = 1.0,
        expansion: QueryExpansion | None = None,
    ) -> None:
        self._leg_weights = {name: (weights or {}).get(name, 1.0) for name in legs}
        super().__init__(
            list(legs.values()),
            llm=MockLLM(),
            mode=FUSION_MODES.RECIPROCAL_RANK,
            num_queries=1,
            similarity_top_k=similarity_top_k,
            retriever_weights=list(self._leg_weights.values()),
        )
        self.legs = dict(legs)
        self._loop = loop
        self._rrf_k = rrf_k
        self._leg_timeout_s = leg_timeout_s
        self._expansion = expansion
        self._breakers = {
            name: CircuitBreaker(retry_after_s=5, longest_s=60, threshold=5) for name in (*legs, _EXPANSION)
        }

    async def asearch(self, query: RetrievalQuery) -> list[NodeWithScore]:
        """Return the fused list of what the legs find.

        Raises:
            EveryLegFailedError: no leg could search.
        """
        if self._expansion is None:
            return self._fuse([(1.0, await self._ask_all(query))], query)
        found, further = await asyncio.gather(self._ask_all(query), self._ask_further(query, self._expansion))
        return self._fuse([(1.0, found), *((_FURTHER_WEIGHT, each) for each in further)], query)

    async def _ask_all(self, query: RetrievalQuery) -> dict[str, list[NodeWithScore]]:
        """Return what each leg finds, without those that fail, which are noted.

        Raises:
            EveryLegFailedError: all did.
        """
        answers = await asyncio.gather(*(self._ask(name, query) for name in self.legs), return_exceptions=True)
        found: dict[str, list[NodeWithScore]] = {}
        errors: dict[str, BaseException] = {}
        for name, answer in zip(self.legs, answers, strict=True):
            if isinstance(answer, BaseException):
                errors[name] = answer
            else:
                found[name] = answer
        for name, error in errors.items():
            query.trace.degrade("retrieval", name, error, "+".join(found) or NO_LEG)
        if not found:
            raise EveryLegFailedError("every retrieval leg failed") from next(iter(errors.values()))
        return found

    async def _ask_further(
        self, query: RetrievalQuery, expansion: QueryExpansion
    ) -> list[dict[str, list[NodeWithScore]]]:
        """Return what each leg finds for further wordings of the question; none if that fails."""
        try:
            with self._breakers[_EXPANSION].attempt():
                query.trace.wordings = await expansion.wordings(query)
            worded = [replace(query, query_str=wording, reading=None) for wording in query.trace.wordings]
            return await asyncio.gather(*map(self._ask_all, worded))
        except Exception as error:  # noqa: BLE001 - the question itself is searched
            query.trace.degrade("retrieval", _EXPANSION, error, "the question alone")
            return []

    async def _ask(self, name: str, query: RetrievalQuery) -> list[NodeWithScore]:
        leg, seconds = self.legs[name], min(self._leg_timeout_s, query.deadline.remaining())
        with (
            span(f"rag_app.leg.{name}", "RETRIEVER") as told,
            self._breakers[name].attempt(fair=seconds > self._leg_timeout_s / 2),
        ):
            if not seconds:
                raise TimeoutError  # also for a leg that would answer without waiting
            async with asyncio.timeout(seconds):
                if type(leg)._aretrieve is BaseRetriever._aretrieve:  # its blocking _retrieve would run on the loop
                    answer = await asyncio.to_thread(leg.retrieve, query)
                else:
                    answer = await ask(leg, query)
            ranked = _ranked(answer)
            told.add_documents([(hit.node.node_id, hit.score or 0.0) for hit in ranked])
            return ranked

    def _fuse(
        self, found: Sequence[tuple[float, Mapping[str, Sequence[NodeWithScore]]]], query: RetrievalQuery
    ) -> list[NodeWithScore]:
        """Return the fused list of what was found for each wording, which has a weight."""
        scores: defaultdict[str, float] = defaultdict(float)
        nodes: dict[str, NodeWithScore] = {}
        chunks = query.trace.chunks
        for weight, by_leg in found:
            for leg, hits in by_leg.items():
                for rank, hit in enumerate(hits, start=1):
                    node_id = hit.node.node_id
                    scores[node_id] += weight * self._leg_weights[leg] / (self._rrf_k + rank)
                    nodes.setdefault(node_id, hit)
                    if (chunk := chunks.get(node_id)) is None:
                        chunk = chunks[node_id] = _chunk_trace(hit)
                    chunk.legs.setdefault(leg, Ranked(rank, hit.score or 0.0))
        top_k = query.options.fusion_top_k or self.similarity_top_k
        fused = sorted(scores, key=lambda node_id: (-scores[node_id], node_id))
        for rank, node_id in enumerate(fused, start=1):
            chunks[node_id].fusion = Ranked(rank, scores[node_id])
        for node_id in fused[top_k:]:
            query.trace.drop(node_id, "retrieval", f"below the best {top_k} of the fused list")
        return [NodeWithScore(node=nodes[node_id].node, score=scores[node_id]) for node_id in fused[:top_k]]


def _ranked(hits: Any) -> list[NodeWithScore]:
    """Return the hits of one leg best first, each once, without those that do not match at all.

    Raises:
        InvalidAnswerError: they are no list of scored nodes.
    """
    ranked = sorted(scored_list(hits), key=lambda hit: hit.score or 0.0)
    best = {hit.node.node_id: hit for hit in ranked if (hit.score or 0.0) > 0}
    return list(best.values())[::-1]


def _chunk_trace(hit: NodeWithScore) -> ChunkTrace:
    get = hit.node.metadata.get
    return ChunkTrace(hit.node.node_id, get("doc_id", ""), get("source", ""), get("title", ""))
