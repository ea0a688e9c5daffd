"""From the chunks that are left to the context, its tokens and the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_index.core.schema import NodeWithScore

from rag_app.schema import Emptiness, QueryAnalysis, RetrievalQuery, RetrievalResult, TokenCounter

RenderContext = Callable[[Sequence[NodeWithScore]], str]


@dataclass(frozen=True)
class ContextWriter:
    """Renders chunks, counts their tokens and holds them to the budget.

    Attributes:
        render: makes the context's text of the chunks.
        counter: counts its tokens.
    """

    render: RenderContext
    counter: TokenCounter

    def within_budget(self, query: RetrievalQuery, nodes: list[NodeWithScore]) -> list[NodeWithScore]:
        """Drop the last chunks while the context is over the query's budget, whatever was done before."""
        budget = query.budget
        while budget is not None and nodes and self.counter.count(self.render(nodes)) > budget.total:
            query.trace.drop(nodes[-1].node.node_id, "context", f"does not fit the budget of {budget.total} tokens")
            nodes = nodes[:-1]
        return nodes

    def result(
        self,
        query: RetrievalQuery,
        method: str,
        nodes: Sequence[NodeWithScore],
        *,
        analysis: QueryAnalysis | None = None,
        emptiness: Emptiness | None = None,
        failure: str | None = None,
    ) -> RetrievalResult:
        """Return the result of one pipeline; `emptiness` is why there is no chunk, if there is none."""
        for place, node in enumerate(nodes, start=1):
            if (chunk := query.trace.chunks.get(node.node.node_id)) is not None:
                chunk.context = place
        text = self.render(nodes) if nodes else ""
        return RetrievalResult(
            query=query.query_str,
            tenant=query.tenant,
            nodes=tuple(nodes),
            context=text,
            tokens=self.counter.count(text) if nodes else 0,
            token_counter=self.counter.name,
            method=method,
            analysis=analysis,
            trace=query.trace,
            emptiness=None if nodes else emptiness,
            failure=failure,
        )
