"""Characters in the order in which they are seen, from left to right, to the order in which they are read."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

_SEPARATORS = {"CS"}  # full stop, comma, colon and slash: one between two numbers belongs to them


@lru_cache(10_000)  # a text has few letters
def direction(text: str) -> str:
    """Return "R" for letters of right-to-left scripts, "L" for other letters, "N" for digits, else an empty string."""
    kind = unicodedata.bidirectional(text[0]) if text else ""
    return {"R": "R", "AL": "R", "L": "L", "EN": "N", "AN": "N"}.get(kind, "")


def logical_order(seen: Sequence[str], *, right_to_left: bool) -> list[tuple[str, bool]]:
    """Return the parts of a line in the order of reading, each with whether it is read from right to left.

    This is the inverse of the Unicode bidirectional algorithm (UAX #9) for text without embeddings. Where several texts
    look the same, as "15 Pro" and "Pro 15" do after a Persian word, it is the one that reads as it looks.

    Args:
        seen: characters or ligatures with their marks, from left to right.
        right_to_left: the direction of the line as a whole.
    """
    kinds = [direction(part) for part in seen]
    if right_to_left:
        return _turned(seen, kinds)
    ordered: list[tuple[str, bool]] = []
    start = 0
    for first, last in _stretches(kinds, lambda kind: kind != "L", "R"):
        ordered += [(part, False) for part in seen[start:first]] + _turned(seen[first:last], kinds[first:last])
        start = last
    return ordered + [(part, False) for part in seen[start:]]


def _turned(seen: Sequence[str], kinds: Sequence[str]) -> list[tuple[str, bool]]:
    """Return the parts from right to left, but for numbers and for letters that are read from left to right."""
    kept: list[tuple[int, int]] = []
    for first, last in _stretches(kinds, lambda kind: kind != "R", "LN"):
        kept += [(first, last)] if "L" in kinds[first:last] else _numbers(seen, kinds, first, last)
    ordered: list[tuple[str, bool]] = []
    end = len(seen)
    for first, last in reversed(kept):
        ordered += [(part, True) for part in reversed(seen[last:end])]
        ordered += [(part, False) for part in seen[first:last]]
        end = first
    return ordered + [(part, True) for part in reversed(seen[:end])]


def _stretches(kinds: Sequence[str], belongs: Callable[[str], bool], ends: str) -> list[tuple[int, int]]:
    """Return the longest stretches of what belongs, each cut back to begin and end with one of the kinds `ends`."""
    found: list[tuple[int, int]] = []
    first = -1
    for index, kind in enumerate(kinds):
        if not belongs(kind):
            first = -1
        elif kind and kind in ends:
            if first < 0:
                first = index
                found.append((first, index))
            found[-1] = (first, index + 1)
    return found


def _numbers(seen: Sequence[str], kinds: Sequence[str], first: int, last: int) -> list[tuple[int, int]]:
    numbers: list[tuple[int, int]] = []
    for index in range(first, last):
        if kinds[index] != "N":
            continue
        joined = numbers and (
            numbers[-1][1] == index
            or (numbers[-1][1] == index - 1 and unicodedata.bidirectional(seen[index - 1][0]) in _SEPARATORS)
        )
        numbers[-1:] = [(numbers[-1][0], index + 1)] if joined else [*numbers[-1:], (index, index + 1)]
    return numbers
