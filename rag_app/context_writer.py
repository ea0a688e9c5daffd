"""From the chunks that are left to the context, its tokens and the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_index.core.schema import NodeWithScore

from rag_app.errors import ComponentError
from rag_app.logs import get_logger
from rag_app.schema import (
    ContextTokenCounter,
    Emptiness,
    QueryAnalysis,
    RetrievalQuery,
    RetrievalResult,
    TokenCounter,
)

logger = get_logger(__name__)

RenderContext = Callable[[Sequence[NodeWithScore]], str]
REQUEST_S = 1.0  # what a request to count a context may take, if the query has so long


@dataclass(frozen=True)
class Context:
    """Chunks as the model reads them, and what they cost, by the counter of this name."""

    nodes: tuple[NodeWithScore, ...]
    text: str
    tokens: int
    token_counter: str


@dataclass(frozen=True)
class ContextWriter:
    """Renders chunks, counts their tokens and holds them to the budget.

    Attributes:
        render: makes the context's text of the chunks.
        counter: counts its tokens.
        final_counter: counts those of the finished context in place of `counter`, which stands in where it fails.
    """

    render: RenderContext
    counter: TokenCounter
    final_counter: ContextTokenCounter | None = None

    async def awrite(self, query: RetrievalQuery, nodes: Sequence[NodeWithScore]) -> Context:
        """Return the context of the chunks, without the last ones while it is over the budget of the query."""
        final = self.final_counter
        while nodes:
            text = self.render(nodes)
            tokens = await self._acount(final, query, text) if final is not None else None
            if tokens is None:
                final, tokens = None, self.counter.count(text)
            if query.budget is None or tokens <= query.budget.total:
                return Context(tuple(nodes), text, tokens, (final or self.counter).name)
            reason = f"does not fit the budget of {query.budget.total} tokens"
            query.trace.drop(nodes[-1].node.node_id, "context", reason)
            nodes = nodes[:-1]
        return self.nothing()

    async def _acount(self, final: ContextTokenCounter, query: RetrievalQuery, text: str) -> int | None:
        """Ask for the tokens of a context; None, which is noted, if there is no answer in time."""
        try:
            return await final.acount(text, timeout_s=min(REQUEST_S, query.deadline.remaining()))
        except ComponentError as error:
            query.trace.degrade("context", final.name, error, self.counter.name)
            logger.warning("ProductionRAG context: %s failed, %s serves: %s", final.name, self.counter.name, error)
            return None

    def nothing(self) -> Context:
        """Return the context of no chunks."""
        return Context((), "", 0, self.counter.name)

    def result(
        self,
        query: RetrievalQuery,
        method: str,
        context: Context,
        *,
        analysis: QueryAnalysis | None = None,
        emptiness: Emptiness | None = None,
        failure: str | None = None,
    ) -> RetrievalResult:
        """Return the result of one pipeline; `emptiness` is why there is no chunk, if there is none."""
        for place, node in enumerate(context.nodes, start=1):
            if (chunk := query.trace.chunks.get(node.node.node_id)) is not None:
                chunk.context = place
        return RetrievalResult(
            query=query.query_str,
            tenant=query.tenant,
            nodes=context.nodes,
            context=context.text,
            tokens=context.tokens,
            token_counter=context.token_counter,
            method=method,
            analysis=analysis,
            trace=query.trace,
            emptiness=None if context.nodes else emptiness,
            failure=failure,
        )
