"""The citations of an answer: only those of chunks that it was given."""

from __future__ import annotations

import re

_NUMBERS = r"\s*\d{1,3}(?:\s*[,،]\s*\d{1,3})*\s*"
# The look-behinds keep a long run of white space from being tried at each of its characters.
_CITATION = re.compile(rf"(?<![ \t])([ \t]*+)\[({_NUMBERS})\]")
_NUMBER = re.compile(r"\d+")
# What may become a citation with the next piece, and the white space that would go with it.
_UNFINISHED = re.compile(r"(?<![ \t])[ \t]*+(?:\[[\s\d,،]{0,40})?\Z")


class Citations:
    """Passes an answer piece by piece, with each citation as [1], and leaves out those of chunks that do not exist.

    A citation may be split over pieces, hold several numbers or be written in Persian digits.

    Args:
        chunks: how many chunks the context has.

    Attributes:
        numbers: what was cited so far, in order of appearance, each number once.
    """

    def __init__(self, chunks: int) -> None:
        self.numbers: list[int] = []
        self._chunks = chunks
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what can be told of the answer with this piece; it may be nothing yet."""
        text = self._held + piece
        unfinished = _UNFINISHED.search(text)
        ready = unfinished.start() if unfinished else len(text)
        self._held = text[ready:]
        return _CITATION.sub(self._checked, text[:ready])

    def end(self) -> str:
        """Return what was held back, now that nothing follows."""
        held, self._held = self._held, ""
        return held

    def _checked(self, citation: re.Match[str]) -> str:
        numbers = [int(number) for number in _NUMBER.findall(citation[2])]
        known = [number for number in dict.fromkeys(numbers) if 1 <= number <= self._chunks]
        self.numbers += [number for number in known if number not in self.numbers]
        return citation[1] + "".join(f"[{number}]" for number in known) if known else ""


def without_citations(text: str) -> str:
    """Return a text without its citations, whose numbers mean nothing beside another context."""
    return _CITATION.sub("", text)
