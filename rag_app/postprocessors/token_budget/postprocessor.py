"""The LlamaIndex postprocessor that fits nodes into the token budget."""

from __future__ import annotations

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr

from rag_app.postprocessors.token_budget.excerpt import Excerpt, RenderChunk
from rag_app.postprocessors.token_budget.shares import fill
from rag_app.schema import RequestOptions, RetrievalQuery, TokenBudget, TokenCounter, trace_of


class TokenBudgetPostprocessor(BaseNodePostprocessor):
    """Fits nodes into the query's token budget, counted as they are rendered for the model.

    Nodes are taken in order, each at first with what was found of it alone: its core, the best child, and from there as
    far as other children were found; cut after a sentence where it does not fit. What is left of the budget then grows
    them, best first, by the sentences around, until none fits any more. Primary and secondary nodes have guaranteed
    shares; what one share does not use the other gets, but a share of 0 shows nothing. The result holds the primary
    nodes first.

    Args:
        counter: counts tokens.
        render: renders a chunk under a number, as the context will.
        top_n: the most nodes to return.
        budget: the budget of a query that brings none.
    """

    top_n: int = 8
    budget: TokenBudget
    _counter: TokenCounter = PrivateAttr()
    _render: RenderChunk = PrivateAttr()

    def __init__(self, counter: TokenCounter, render: RenderChunk, *, top_n: int = 8, budget: TokenBudget) -> None:
        super().__init__(top_n=top_n, budget=budget)
        self._counter = counter
        self._render = render

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "TokenBudgetPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        budget = (query_bundle.budget if isinstance(query_bundle, RetrievalQuery) else None) or self.budget
        options = query_bundle.options if isinstance(query_bundle, RetrievalQuery) else RequestOptions()
        top_n = options.rerank_top_k or self.top_n
        trace = trace_of(query_bundle)
        for node in nodes[top_n:]:
            trace.drop(node.node.node_id, "context", f"below the best {top_n}")
        primary: list[Excerpt] = []
        secondary: list[Excerpt] = []
        for node in nodes[:top_n]:
            is_primary = budget.is_primary(node.node.metadata.get("source", ""))
            (primary if is_primary else secondary).append(Excerpt(node, self._counter, self._render))
        fill(primary, secondary, budget)
        excerpts = (*primary, *secondary)
        self._hold(excerpts, budget.total)
        for excerpt in excerpts:
            if not excerpt.taken:
                trace.drop(excerpt.node_id, "context", f"does not fit the budget of {budget.total} tokens")
            elif (chunk := trace.chunks.get(excerpt.node_id)) is not None:
                excerpt.settle()
                chunk.tokens = excerpt.tokens
        return [excerpt.shown() for excerpt in excerpts if excerpt.taken]

    def _hold(self, excerpts: tuple[Excerpt, ...], most: int) -> None:
        """Take sentences back, the last first, while the whole is over the budget.

        Some counters make more of the whole than of its parts.
        """
        while taken := [excerpt for excerpt in excerpts if excerpt.taken]:
            whole = "".join(self._render(place, each.shown().node) for place, each in enumerate(taken, start=1))
            if self._counter.count(whole) <= most:
                return
            taken[-1].shrink()
