"""What stands above a chunk that begins in the middle of a section or a table, and is needed to understand it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag_app.persian.sentences import Span

PREAMBLE = "preamble"
"""The metadata key under which a node holds the lines."""

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_DELIMITER_ROW = re.compile(r"\|[ \t:|]*+-[ \t:|-]*+$")


def preambles(text: str, sentences: Sequence[Span], title: str) -> list[tuple[str, ...]]:
    """Return for each sentence the lines above it that a chunk beginning there needs.

    These are the headings that it stands under, the outermost first, and within a table its header row. A heading that
    repeats the document's title is left out.
    """
    headings = _headings(text, sentences, title)
    headers = _table_headers(text, sentences)
    return [above + header for above, header in zip(headings, headers, strict=True)]


def _headings(text: str, sentences: Sequence[Span], title: str) -> Iterator[tuple[str, ...]]:
    levels: list[int] = []
    above: tuple[str, ...] = ()
    for start, end in sentences:
        heading = _HEADING.match(line := text[start:end].strip())
        while heading and levels and levels[-1] >= len(heading[1]):
            levels.pop()
            above = above[:-1]
        yield above
        if heading and heading[2] != title:
            levels.append(len(heading[1]))
            above += (line,)


def _table_headers(text: str, sentences: Sequence[Span]) -> Iterator[tuple[str, ...]]:
    header: tuple[str, ...] = ()
    row_before: tuple[str, ...] = ()
    for start, end in sentences:
        line = text[start:end].strip()
        is_row = line.startswith("|")
        if not is_row:
            header = ()
        elif not header and _DELIMITER_ROW.match(line):
            header = row_before
        yield header
        blank_line_follows = text.count("\n", start, end) > 1
        if blank_line_follows:
            header = ()
        row_before = (line,) if is_row and not blank_line_follows else ()
