"""As many chunks as the token budget allows, then as much of each chunk's parent as it allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from rag_app.persian import sentence_spans
from rag_app.schema import RequestOptions, RetrievalQuery, TokenBudget, TokenCounter, trace_of

RenderChunk = Callable[[int, BaseNode], str]


class TokenBudgetPostprocessor(BaseNodePostprocessor):
    """Fits nodes into the query's token budget, counted as they are rendered for the model.

    Nodes are taken in order, each at first with its core alone: the child that was found, cut after a sentence where it
    does not fit. What is left of the budget then grows them, best first, by the sentences around the core. Primary and
    secondary nodes have guaranteed shares; what one share does not use the other gets, but a share of 0 shows nothing.
    The result holds the primary nodes first.

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
        primary: list[_Piece] = []
        secondary: list[_Piece] = []
        for node in nodes[:top_n]:
            is_primary = budget.is_primary(node.node.metadata.get("source", ""))
            (primary if is_primary else secondary).append(_Piece(node, self._counter, self._render))
        _fit_shares(primary, secondary, budget)
        for piece in (*primary, *secondary):
            if not piece.taken:
                trace.drop(piece.scored.node.node_id, "context", f"does not fit the budget of {budget.total} tokens")
        return [piece.shown() for piece in (*primary, *secondary) if piece.taken]


class _Piece:
    """One node, the sentences of its text as units of the budget, and which run of them is taken."""

    def __init__(self, scored: NodeWithScore, counter: TokenCounter, render: RenderChunk) -> None:
        self.scored = scored
        self._text = scored.node.get_content()
        self._units, self._core = _units(scored.node, self._text)
        self._counter = counter
        self._overhead = counter.count(render(99, TextNode(text="x", metadata=scored.node.metadata)))
        self._first = self._last = 0

    @property
    def taken(self) -> bool:
        return self._last > self._first

    def _cost(self, place: int) -> int:
        """Return the tokens of one unit; few of a long text are ever asked for."""
        start, end = self._units[place]
        return self._counter.count(self._text[start:end])

    def take_core(self, budget: int) -> int:
        """Take the core, or the sentences of it that fit; return the tokens used."""
        first, end = self._core
        used, last = self._overhead, first
        while last < end and (cost := self._cost(last)) <= budget - used:
            used += cost
            last += 1
        self._first, self._last = first, last
        return used if self.taken else 0

    def grow(self, budget: int) -> int:
        """Take sentences after and before the core in turn while they fit; return the tokens used."""
        used = 0
        after = before = self.taken
        while after or before:
            after = after and self._last < len(self._units) and (cost := self._cost(self._last)) <= budget - used
            if after:
                used += cost
                self._last += 1
            before = before and self._first > 0 and (cost := self._cost(self._first - 1)) <= budget - used
            if before:
                used += cost
                self._first -= 1
        return used

    def shown(self) -> NodeWithScore:
        """Return a copy of the node with the text that is taken."""
        text = self._text[self._units[self._first][0] : self._units[self._last - 1][1]].strip()
        return NodeWithScore(node=self.scored.node.model_copy(update={"text": text}), score=self.scored.score)


def _units(node: BaseNode, text: str) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Split the text at its sentences and at the core's ends; return the spans and which of them are the core."""
    start, end = getattr(node, "start_char_idx", None), getattr(node, "end_char_idx", None)
    if start is None or end is None or not 0 <= start < end <= len(text):
        start, end = 0, len(text)
    cuts = sorted({0, start, end, len(text), *(stop for _, stop in sentence_spans(text))})
    units = [(left, right) for left, right in pairwise(cuts) if text[left:right].strip()]
    core = [place for place, (left, right) in enumerate(units) if left >= start and right <= end]
    return units, (core[0], core[-1] + 1) if core else (0, len(units))


def _fit(pieces: Sequence[_Piece], budget: int) -> int:
    """Choose how much of each piece to show within `budget`; return the tokens used."""
    used = 0
    for piece in pieces:
        used += piece.take_core(budget - used)
    for piece in pieces:
        used += piece.grow(budget - used)
    return used


def _fit_shares(primary: Sequence[_Piece], secondary: Sequence[_Piece], budget: TokenBudget) -> None:
    used = _fit(secondary, budget.secondary) if budget.secondary else 0
    if budget.primary:
        spare = budget.total - used - _fit(primary, budget.total - used)
        if spare and budget.secondary:
            _fit(secondary, used + spare)
