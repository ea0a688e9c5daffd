"""How much of one node is shown, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from llama_index.core.schema import BaseNode, NodeWithScore

from rag_app.persian import sentence_spans
from rag_app.schema import TokenCounter

RenderChunk = Callable[[int, BaseNode], str]
_ANY_NUMBER = 1  # of one digit


class Excerpt:
    """A run of a node's sentences that begins with its core, the child that was found, and grows around it.

    In a `FoundInParent` it first grows over the other children that were found.

    Args:
        scored: the node.
        counter: counts tokens.
        render: renders a chunk under a number.

    Attributes:
        tokens: what the run costs as it is rendered, or a little more until `settle`; 0 if nothing is taken.
    """

    def __init__(self, scored: NodeWithScore, counter: TokenCounter, render: RenderChunk) -> None:
        self.tokens = 0
        self._scored = scored
        self._text = scored.node.get_content()
        core = _span(scored.node, "start_char_idx", "end_char_idx", (0, len(self._text)))
        found = _span(scored.node, "found_start_idx", "found_end_idx", core)
        self._units = _units(self._text, *core, *found)
        self._core, self._found = _within(self._units, *core), _within(self._units, *found)
        self._first = self._last = self._core[0]
        self._counter, self._render = counter, render
        # Lines above a chunk are shown only while its text does not hold them: the most that may stand around the text.
        self._around = counter.count(render(_ANY_NUMBER, scored.node.model_copy(update={"text": "x"})))
        self._text_tokens = 0
        self._counted: dict[tuple[int, int], int] = {}
        self._settled = True

    @property
    def node_id(self) -> str:
        """The id of the node."""
        return self._scored.node.node_id

    @property
    def size(self) -> int:
        """How many sentences are shown."""
        return self._last - self._first

    @property
    def taken(self) -> bool:
        """Whether anything is shown."""
        return self._last > self._first

    def take_core(self, budget: int) -> None:
        """Take the core, or what is still missing of it, sentence by sentence while that fits `budget` tokens.

        After it come the others that were found, those that stand behind it first.
        """
        while self._last < self._core[1] and self._take(self._first, self._last + 1, budget):
            pass
        if self._last < self._core[1]:
            return
        while self._last < self._found[1] and self._take(self._first, self._last + 1, budget):
            pass
        while self._first > self._found[0] and self._take(self._first - 1, self._last, budget):
            pass

    def grow(self, budget: int) -> None:
        """Take sentences after and before what is taken, in turn, while they fit `budget` tokens."""
        after = before = self.taken
        while after or before:
            after = after and self._last < len(self._units) and self._take(self._first, self._last + 1, budget)
            before = before and self._first > 0 and self._take(self._first - 1, self._last, budget)

    def shrink(self) -> None:
        """Take one sentence back: from the end, unless the core alone is left before it."""
        if self._first < self._core[0] and self._last <= self._core[1]:
            self._first += 1
        else:
            self._last -= 1
        self._settled = False

    def settle(self) -> None:
        """Count what is taken exactly."""
        if not self._settled:
            self.tokens = self._count(self._first, self._last)
            self._settled = True

    def shown(self) -> NodeWithScore:
        """Return a copy of the node with the text that is taken."""
        return NodeWithScore(node=self._showing(self._first, self._last), score=self._scored.score)

    def _take(self, first: int, last: int, budget: int) -> bool:
        """Take a run that is one sentence longer, if it fits.

        The sentence alone is counted, which is not less than what it adds; where that is too much, the whole.
        """
        text_tokens = self._text_tokens + self._added(first, last)
        tokens = self._around + text_tokens
        settled = tokens > budget
        if settled and (tokens := self._count(first, last)) > budget:
            return False
        self._first, self._last, self._text_tokens = first, last, text_tokens
        self.tokens, self._settled = tokens, settled
        return True

    def _added(self, first: int, last: int) -> int:
        """Count the sentence that is added, with the white space between."""
        left, right = self._units[first][0], self._units[last - 1][1]
        if not self.taken:
            return self._counter.count(self._text[left:right])
        before, after = self._units[self._first][0], self._units[self._last - 1][1]
        return self._counter.count(self._text[left:before] + self._text[after:right])

    def _count(self, first: int, last: int) -> int:
        run = (first, last)  # what does not fit is tried again when others have been taken
        if run not in self._counted:
            self._counted[run] = self._counter.count(self._render(_ANY_NUMBER, self._showing(first, last)))
        return self._counted[run]

    def _showing(self, first: int, last: int) -> BaseNode:
        text = self._text[self._units[first][0] : self._units[last - 1][1]]
        return self._scored.node.model_copy(update={"text": text})


def _span(node: BaseNode, start_name: str, end_name: str, otherwise: tuple[int, int]) -> tuple[int, int]:
    """Return a span of the node's text by the names of its ends."""
    start, end = getattr(node, start_name, None), getattr(node, end_name, None)
    if start is None or end is None or not 0 <= start < end <= len(node.get_content()):
        return otherwise
    return start, end


def _units(text: str, *ends: int) -> list[tuple[int, int]]:
    """Return the spans of the sentences, cut at these ends too, without the white space around them."""
    cuts = sorted({0, len(text), *ends, *(stop for _, stop in sentence_spans(text))})
    return [span for left, right in pairwise(cuts) if (span := _trimmed(text, left, right))]


def _within(units: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Return which units lie between `start` and `end`; all if none does."""
    places = [place for place, (left, right) in enumerate(units) if left >= start and right <= end]
    return (places[0], places[-1] + 1) if places else (0, len(units))


def _trimmed(text: str, left: int, right: int) -> tuple[int, int] | None:
    piece = text[left:right]
    begin = left + len(piece) - len(piece.lstrip())
    return (begin, begin + len(piece.strip())) if piece.strip() else None
