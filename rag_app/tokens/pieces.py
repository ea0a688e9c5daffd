"""The small part of Gemini's vocabularies that the estimate of tokens rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

SPACE = "▁"  # how the vocabularies write a space
WORDS, MERGES = "[words]", "[merges]"  # what the parts of the file begin with; the characters come first
FILE = Path(__file__).with_name("pieces.txt")
Merge = tuple[str, str]
_NEVER = 1 << 30


class Pieces:
    """Characters, words and merges.

    Args:
        characters: those that are one token in every vocabulary, beside ASCII.
        words: those that are one token after a space in every vocabulary, in small letters or with a capital first.
        merges: the first pairs of pieces that each vocabulary joins, in the order it does.
    """

    def __init__(self, characters: Iterable[str], words: Collection[str], merges: Iterable[Iterable[Merge]]) -> None:
        self.words = frozenset(words)
        self._characters = frozenset(characters) | {SPACE}
        self._ranks = [{pair: rank for rank, pair in enumerate(own)} for own in merges]

    def character(self, char: str) -> int:
        """Return the most tokens that a character costs: its bytes in UTF-8, unless it is a token."""
        return 1 if char.isascii() or char in self._characters else len(char.encode("utf-8", "surrogatepass"))

    def letters(self, word: str) -> int:
        """Return the most tokens that letters cost, with `SPACE` before them where they follow a space.

        A vocabulary joins pieces in a fixed order, so what its first merges leave is at least as many tokens as what
        all of them do.
        """
        return max(
            sum(1 if len(piece) > 1 else self.character(piece) for piece in _joined(word, ranks))
            for ranks in self._ranks
        )


def _joined(word: str, ranks: dict[Merge, int]) -> list[str]:
    """Return what byte-pair encoding leaves of a word."""
    pieces = list(word)
    order = [ranks.get(pair, _NEVER) for pair in pairwise(pieces)]
    while order and (rank := min(order)) != _NEVER:
        at = order.index(rank)
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        del order[at]
        if at:
            order[at - 1] = ranks.get((pieces[at - 1], pieces[at]), _NEVER)
        if at < len(order):
            order[at] = ranks.get((pieces[at], pieces[at + 1]), _NEVER)
    return pieces


@cache
def shipped() -> Pieces:
    """Return the pieces that come with the package."""
    parts: list[list[str]] = [[]]
    for line in FILE.read_text("utf-8").split("\n"):
        if line in (WORDS, MERGES):
            parts.append([])
        elif line:
            parts[-1].append(line)
    (characters,), words, *merges = parts
    return Pieces(characters, words, [[_pair(line) for line in lines] for lines in merges])


def _pair(line: str) -> Merge:
    left, right = line.split(" ")
    return left, right
