"""Dividing a budget between primary and secondary chunks."""

from __future__ import annotations

from collections.abc import Sequence

from rag_app.postprocessors.token_budget.excerpt import Excerpt
from rag_app.schema import TokenBudget


def fill(primary: Sequence[Excerpt], secondary: Sequence[Excerpt], budget: TokenBudget) -> None:
    """Take as much of the excerpts as the budget allows.

    Each share is filled by its own first. What the secondary one leaves goes to the primary, and what that leaves goes
    back.
    """
    if budget.secondary:
        _take(secondary, (), budget.secondary)
    if budget.primary:
        _take(primary, secondary, budget.total)
    if budget.secondary:
        _take(secondary, primary, budget.total)


def _take(excerpts: Sequence[Excerpt], others: Sequence[Excerpt], budget: int) -> None:
    """Take the cores, best first, and then what is around them, until no sentence fits beside the others any more."""

    def room(excerpt: Excerpt) -> int:
        beside = [each.tokens for each in (*excerpts, *others) if each.taken and each is not excerpt]
        return budget - sum(beside) - _digits(len(beside) + 1)

    before = -1
    while before != (before := sum(excerpt.size for excerpt in excerpts)):
        for excerpt in excerpts:
            excerpt.take_core(room(excerpt))
        for excerpt in excerpts:
            excerpt.grow(room(excerpt))
        for excerpt in excerpts:
            excerpt.settle()


def _digits(chunks: int) -> int:
    """Return how many more tokens the numbers of so many chunks cost than as many numbers of one digit."""
    return sum(len(str(number)) - 1 for number in range(10, chunks + 1))
