"""Reciprocal rank fusion of legs that may be weighted, may be slow and may fail, each alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.llms.mock import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import NodeWithScore, QueryBundle

from rag_app.background import BackgroundLoop
from rag_app.errors import ComponentError
from rag_app.schema import RetrievalQuery
from rag_app.trace import ChunkTrace, Ranked, Trace


class HybridRetriever(QueryFusionRetriever):
    """QueryFusionRetriever in reciprocal-rank mode, whose legs have names, weights and a time limit.

    A chunk's fused score is the sum over the legs of weight / (rrf_k + rank), ranks from 1 (Cormack et al. 2009,
    "Reciprocal Rank Fusion Outperforms Condorcet"). Chunks are told apart by node id. A leg that raises or is late is
    left out and noted in the query's trace, as is every chunk's rank and score on each leg.

    Args:
        legs: the retrievers by name.
        loop: where synchronous calls run.
        weights: the legs' weights; a leg that is not named weighs 1.
        similarity_top_k: the most chunks to return.
        leg_timeout_s: how long one leg may take, within the query's deadline.

    Raises:
        ComponentError: on retrieval, when every leg failed.
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

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._loop.call(self._aretrieve, query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = RetrievalQuery.of(query_bundle)
        answers = await asyncio.gather(*(self._ask(leg, query) for leg in self.legs.values()), return_exceptions=True)
        found: dict[str, list[NodeWithScore]] = {}
        errors: dict[str, BaseException] = {}
        for name, answer in zip(self.legs, answers, strict=True):
            if isinstance(answer, BaseException):
                errors[name] = answer
            else:
                found[name] = _ranked(answer)
        for name, error in errors.items():
            query.trace.degrade("retrieval", name, error, "+".join(found) or "none")
        if not found:
            raise ComponentError("every retrieval leg failed") from next(iter(errors.values()))
        return self._fuse(found, query)

    async def _ask(self, leg: BaseRetriever, query: RetrievalQuery) -> list[NodeWithScore]:
        async with asyncio.timeout(min(self._leg_timeout_s, query.deadline.remaining())):
            if type(leg)._aretrieve is BaseRetriever._aretrieve:  # it would run its blocking _retrieve on the loop
                return await asyncio.to_thread(leg.retrieve, query)
            return await leg.aretrieve(query)

    def _fuse(self, found: Mapping[str, Sequence[NodeWithScore]], query: RetrievalQuery) -> list[NodeWithScore]:
        scores: dict[str, float] = {}
        nodes: dict[str, NodeWithScore] = {}
        for leg, hits in found.items():
            for rank, hit in enumerate(hits, start=1):
                node_id = hit.node.node_id
                scores[node_id] = scores.get(node_id, 0.0) + self._leg_weights[leg] / (self._rrf_k + rank)
                nodes.setdefault(node_id, hit)
                _chunk_trace(query.trace, hit).legs[leg] = Ranked(rank, hit.score or 0.0)
        fused = sorted(scores, key=lambda node_id: (-scores[node_id], node_id))
        for rank, node_id in enumerate(fused, start=1):
            query.trace.chunks[node_id].fusion = Ranked(rank, scores[node_id])
        for node_id in fused[self.similarity_top_k :]:
            query.trace.drop(node_id, "retrieval", f"below the best {self.similarity_top_k} of the fused list")
        return [
            NodeWithScore(node=nodes[node_id].node, score=scores[node_id]) for node_id in fused[: self.similarity_top_k]
        ]


def _ranked(hits: Sequence[NodeWithScore]) -> list[NodeWithScore]:
    """Return the hits of one leg best first, without those that do not match at all."""
    return sorted((hit for hit in hits if (hit.score or 0.0) > 0), key=lambda hit: -(hit.score or 0.0))


def _chunk_trace(trace: Trace, hit: NodeWithScore) -> ChunkTrace:
    metadata = hit.node.metadata
    return trace.chunks.setdefault(
        hit.node.node_id,
        ChunkTrace(hit.node.node_id, metadata.get("doc_id", ""), metadata.get("source", ""), metadata.get("title", "")),
    )
