"""Packing sentences into pieces of a bounded number of tokens, without losing a character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rag_app.persian.sentences import CUTS, Span
from rag_app.schema import TokenCounter

_HEADING = re.compile(r"[ \t]{0,3}#{1,6}\s")
_DELIMITER_ROW = r"[ \t]*\|[ \t:|]*+-[ \t:|-]*+(?:\n|$)"
_TABLE_HEADER = re.compile(rf"{_DELIMITER_ROW}|[ \t]*\|[^\n]*\n{_DELIMITER_ROW}")
_MOST_TOKENS_OF_A_CHARACTER = 4


def pack(text: str, spans: Sequence[Span], max_tokens: int, counter: TokenCounter) -> list[Span]:
    """Join neighbouring spans into longer ones of at most `max_tokens` tokens that cover the same text.

    A heading stays with what follows it and begins a new piece once the current one is half full; the header of a
    table stays with its first row. A span that is too long by itself is cut at the first of `CUTS` that makes it fit,
    else anywhere: a number or an address is cut only if it is longer than a piece.
    """
    if spans and _is_short(whole := text[spans[0][0] : spans[-1][1]], max_tokens) and "#" not in whole:
        return [(spans[0][0], spans[-1][1])]
    pieces: list[Span] = []
    filled = max_tokens + 1
    for start, end in _with_what_they_head(text, spans):
        for left, right in _cut(text, start, end, max_tokens, counter):
            new_section = bool(_HEADING.match(text, left)) and filled > max_tokens / 2
            if pieces and not new_section:
                begin = pieces[-1][0]
                filled = _joined(text, begin, left, right, filled, max_tokens, counter)
                if filled <= max_tokens:
                    pieces[-1] = (begin, right)
                    continue
            pieces.append((left, right))
            filled = counter.count(text[left:right])
    return pieces


def fits(text: str, max_tokens: int, counter: TokenCounter) -> bool:
    """Tell whether a text has at most `max_tokens` tokens."""
    return _is_short(text, max_tokens) or counter.count(text) <= max_tokens


def _is_short(text: str, max_tokens: int) -> bool:
    """Tell whether a text fits uncounted: no token is less than a byte."""
    return len(text.encode("utf-8", "surrogatepass")) <= max_tokens


def _joined(text: str, begin: int, left: int, right: int, filled: int, max_tokens: int, counter: TokenCounter) -> int:
    """Return the tokens from `begin` to `right`, or a little more, where those up to `left` are `filled`.

    Words after a space cost no more than by themselves; anything else, and what seems not to fit, is counted anew.
    """
    at_most = filled + counter.count(text[left:right])
    apart = text[left - 1].isspace() and not text[left].isspace()
    return at_most if apart and at_most <= max_tokens else counter.count(text[begin:right])


def _with_what_they_head(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Join each heading, each header of a table, and each run of them to the span after it."""
    waiting: int | None = None
    end = 0
    for start, end in spans:
        if waiting is None:
            waiting = start
        if not (_HEADING.match(text, start) or _TABLE_HEADER.match(text, start)):
            yield waiting, end
            waiting = None
    if waiting is not None:
        yield waiting, end


def _cut(
    text: str, start: int, end: int, max_tokens: int, counter: TokenCounter, cuts: tuple[re.Pattern[str], ...] = CUTS
) -> Iterator[Span]:
    if counter.count(text[start:end]) <= max_tokens:
        yield start, end
        return
    if not cuts:
        step = max(1, max_tokens // _MOST_TOKENS_OF_A_CHARACTER)
        yield from ((left, min(left + step, end)) for left in range(start, end, step))
        return
    left = start
    for match in cuts[0].finditer(text, start, end):
        yield from _cut(text, left, match.end(), max_tokens, counter, cuts[1:])
        left = match.end()
    if left < end:
        yield from _cut(text, left, end, max_tokens, counter, cuts[1:])
