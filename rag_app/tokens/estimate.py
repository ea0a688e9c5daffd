"""Counting tokens about as Gemini does, without its vocabulary."""

from __future__ import annotations

import re
from functools import lru_cache

from rag_app.tokens.pieces import SPACE, shipped

PERSIAN = r"\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff\u200c"  # and the half-space
LATIN = "A-Za-z"
# Several spaces join with each other, not with a word. The time of joining grows with the square of a word's length.
_WORD = re.compile(rf"(?:(?<! ) )?(?:[{PERSIAN}]{{1,24}}|[{LATIN}]{{1,24}})")
_REST = re.compile(rf"\n+| {{2,}}| (?![{PERSIAN}{LATIN}])|[^ \n{PERSIAN}{LATIN}]")
_LONGEST_RUN = 8  # of spaces or line breaks; each vocabulary holds longer ones
_REMEMBERED_LENGTH = 1000  # characters


class EstimatedTokenCounter:
    """An estimate of Gemini's token count that needs no tokenizer file, and was below it in no text that was measured.

    A word costs what the first merges of Gemini's vocabularies leave of it, which is at least what all of them do, and
    one token if it is one of the frequent words that are. Digits and characters that are tokens cost one, any other
    character its UTF-8 bytes, which is what byte fallback costs.
    """

    name = "estimate"

    def __init__(self) -> None:
        shipped()  # read now, not within the first request's deadline

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`, or a little more."""
        return _remembered(text) if len(text) <= _REMEMBERED_LENGTH else _count(text)


def _count(text: str) -> int:
    return sum(map(_word, _WORD.findall(text))) + sum(map(_rest, _REST.findall(text)))


_remembered = lru_cache(maxsize=10_000)(_count)  # a sentence is counted at each level that it is packed into; some 6 MB


@lru_cache(maxsize=10_000)  # about 2 MB
def _word(word: str) -> int:
    pieces = shipped()
    letters = word.lstrip(" ")
    if letters == word:  # as much as after a space, so that texts cost no more joined than apart
        return max(pieces.letters(letters), pieces.letters(SPACE + letters) - 1)
    if (letters.lower() if letters.istitle() else letters) in pieces.words:
        return 1
    return pieces.letters(SPACE + letters)


def _rest(run: str) -> int:
    return 1 + len(run) // _LONGEST_RUN if run[0] in " \n" else shipped().character(run)
