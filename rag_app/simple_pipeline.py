"""The old way, which the new one is compared with and falls back to: the nearest chunks by embedding, and no more."""

from __future__ import annotations

import asyncio
import time

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore

from rag_app.context_writer import ContextWriter
from rag_app.errors import InvalidAnswerError, kind_of
from rag_app.logs import get_logger
from rag_app.retrievers import ask
from rag_app.schema import (
    NO_MATCH,
    Emptiness,
    RetrievalQuery,
    RetrievalResult,
    chosen_from,
    scored_list,
)
from rag_app.storage import TenantCatalog
from rag_app.trace import ChunkTrace, Ranked

logger = get_logger(__name__)

LAST_CHANCE_S = 0.05  # where others used up the time, an answer a little late is better than none


class SimplePipeline:
    """Turns a query into a context with as few parts as can be; nothing is raised.

    Args:
        catalog: what each tenant has stored.
        retriever: the dense leg; the question is embedded as it was typed.
        budget: fits the chunks into the token budget.
        writer: renders what is left.
    """

    method = "context_retriever"

    def __init__(
        self,
        *,
        catalog: TenantCatalog,
        retriever: BaseRetriever,
        budget: BaseNodePostprocessor,
        writer: ContextWriter,
    ) -> None:
        self.catalog = catalog
        self.retriever = retriever
        self.budget = budget
        self.writer = writer

    async def arun(self, query: RetrievalQuery) -> RetrievalResult:
        """Search, and fit what was found, within the query's deadline."""
        started = time.perf_counter()
        context = self.writer.nothing()
        emptiness, failure = query.refusal, None
        if emptiness is None:
            nodes: list[NodeWithScore] = []
            with query.trace.stage("retrieval") as stage:
                try:
                    nodes = await self._search(query)
                    emptiness = NO_MATCH
                except Exception as error:  # noqa: BLE001 - an empty result that says why
                    failure = kind_of(error)
                    emptiness = Emptiness("failed", f"retrieval failed: {failure}")
                    query.trace.degrade("retrieval", self.method, error, "empty result")
                    logger.warning("ContextRetriever failed: %s", failure)
                stage.candidates = len(nodes)
            with query.trace.stage("context") as stage:
                context = await self.writer.awrite(query, await self._fit(query, nodes))
                stage.candidates = len(context.nodes)
        result = self.writer.result(query, self.method, context, emptiness=emptiness, failure=failure)
        query.trace.total_ms = (time.perf_counter() - started) * 1000
        return result

    async def _search(self, query: RetrievalQuery) -> list[NodeWithScore]:
        async with asyncio.timeout(max(LAST_CHANCE_S, query.deadline.remaining())):
            await self._resolve(query)
            found = scored_list(await ask(self.retriever, query))
        if any(hit.node.metadata.get("tenant") != query.tenant for hit in found):
            raise InvalidAnswerError("the dense leg gave a chunk of another tenant")
        own = [hit for hit in found if (hit.score or 0.0) > 0]
        for rank, hit in enumerate(own, start=1):
            metadata, node_id = hit.node.metadata, hit.node.node_id
            chunk = ChunkTrace(node_id, metadata["doc_id"], metadata["source"], metadata["title"])
            chunk.legs["dense"] = Ranked(rank, hit.score or 0.0)
            query.trace.chunks[node_id] = chunk
        return own

    async def _resolve(self, query: RetrievalQuery) -> None:
        """Find out how to search; without that every chunk is compared, and no query with filters is answered."""
        try:
            async with asyncio.timeout(max(LAST_CHANCE_S, query.deadline.remaining() / 4)):
                await self.catalog.aresolve(query, await self.catalog.asnapshot(query.tenant))
        except Exception as error:  # noqa: BLE001 - the search itself does not need it
            logger.warning("ContextRetriever compares every chunk: %s", kind_of(error))

    async def _fit(self, query: RetrievalQuery, nodes: list[NodeWithScore]) -> list[NodeWithScore]:
        if not nodes:
            return nodes
        try:
            async with asyncio.timeout(max(LAST_CHANCE_S, query.deadline.remaining())):
                answer = await self.budget.apostprocess_nodes(nodes, query)
            return chosen_from(nodes, answer, may_be_empty=True)
        except Exception as error:  # noqa: BLE001 - whole chunks are dropped instead
            query.trace.degrade("context", self.budget.class_name(), error, "left out")
            return nodes
