"""A page's glyphs to lines, table rows and paragraphs, in the order of reading."""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from rag_app.conversion.bidi import direction, logical_order

_HALF_SPACE = "\u200c"
_WORD_GAP, _CELL_GAP = 0.15, 2.0  # in sizes of the glyphs: what parts words, and cells of a table's row
_FULL = 0.12  # of the text's width: how much of a line that goes on in the next may be left empty
_PRESENTATION = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]")
_UNSEEN = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_LIST_ITEM = re.compile(r"[-*•●▪■◦○▸►✓–—]|\(?[\d۰-۹٠-٩]{1,3}[.)\-]|\(?\w[)]\s")
_BULLET = re.compile(r"^[•●▪■◦○▸►✓](?=\S)")
_TERMINAL = tuple(".!?؟…:؛»|")
_STRAY_HALF_SPACES = re.compile(r"\u200c+(?!\w)|(?<!\w)\u200c+")
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


class Glyph(NamedTuple):
    """What is drawn at once: one character, or the several of a ligature in the order of reading.

    Attributes:
        text: the characters.
        start: where it begins, seen from left to right along its line.
        end: where it ends.
        baseline: the height of its line.
        size: the size of its font.
    """

    text: str
    start: float
    end: float
    baseline: float
    size: float


@dataclass(slots=True)
class _Part:
    """A base glyph with its marks."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it is read: one cell, or those of a table's row; and where it stands."""

    cells: tuple[tuple[tuple[str, bool], ...], ...]
    gaps: tuple[tuple[float, float], ...]
    start: float
    end: float
    baseline: float
    size: float
    right_to_left: bool

    def texts(self, mirror: bool) -> list[str]:
        return [_plain(cell, mirror) for cell in self.cells]


def page_text(glyphs: Sequence[Glyph]) -> str:
    """Return a page's text: wrapped lines joined to paragraphs, rows of cells as tables of Markdown.

    Args:
        glyphs: in the order in which they are drawn, from which the order of lines and columns is taken.
    """
    counts = [direction(letter) for glyph in glyphs for letter in glyph.text]
    mostly_rtl = counts.count("R") > counts.count("L")
    lines = [line for line in (_line(group, mostly_rtl) for group in _grouped(glyphs)) if line.cells]
    if not lines:
        return ""
    mirror = _brackets_are_mirrored(lines)
    return "".join(_joined(lines, [line.texts(mirror) for line in lines])).strip()


def _grouped(glyphs: Sequence[Glyph]) -> Iterator[list[Glyph]]:
    """Yield the glyphs that are drawn one after the other at one height."""
    line: list[Glyph] = []
    for glyph in glyphs:
        if line and abs(glyph.baseline - line[-1].baseline) > 0.5 * max(glyph.size, line[-1].size):
            yield line
            line = []
        line.append(glyph)
    if line:
        yield line


def _line(glyphs: list[Glyph], mostly_rtl: bool) -> _Line:
    size = statistics.median(glyph.size for glyph in glyphs)
    parts = _parts(glyphs)
    kinds = [direction(letter) for part in parts for letter in part.text]
    rtl = "R" in kinds and (mostly_rtl or kinds.count("R") > kinds.count("L"))
    cells: list[list[str]] = [[]]
    gaps: list[tuple[float, float]] = []
    start = end = next((part.start for part in parts if not part.text.isspace()), 0.0)
    for part in parts:
        blank = part.text.isspace()
        if not blank and cells[-1] and part.start - end > _CELL_GAP * size:
            cells.append([])
            gaps.append((end, part.start))
        elif not blank and cells[-1] and not cells[-1][-1].isspace() and part.start - end > _WORD_GAP * size:
            cells[-1].append(" ")
        if part.text and (not blank or cells[-1]):  # what is not seen takes room and says nothing
            cells[-1].append(part.text)
        if not blank:
            end = max(end, part.end)
    read = [tuple(logical_order(cell, right_to_left=rtl)) for cell in cells if "".join(cell).strip()]
    return _Line(
        cells=tuple(reversed(read) if mostly_rtl else read),
        gaps=tuple(gaps),
        start=start,
        end=end,
        baseline=statistics.median(glyph.baseline for glyph in glyphs),
        size=size,
        right_to_left=mostly_rtl,
    )


def _parts(glyphs: list[Glyph]) -> list[_Part]:
    """Return the glyphs from left to right, each with the marks that are drawn over it."""
    bases = [glyph for glyph in glyphs if not _is_mark(glyph.text)]
    keyed: list[tuple[float, _Part]] = []
    of_glyph: dict[int, _Part] = {}
    for index, glyph in enumerate(bases):
        is_half_space = glyph.text == _HALF_SPACE or (glyph.text.isspace() and _is_covered(bases, index))
        text = _HALF_SPACE if is_half_space else _folded(glyph.text)
        part = _Part(text, glyph.start, glyph.start if is_half_space else glyph.end)
        keyed.append(((part.start + part.end) / 2, part))
        of_glyph[id(glyph)] = part
    for index, glyph in enumerate(glyphs):
        if _is_mark(glyph.text):
            near = [g for g in glyphs[max(index - 2, 0) : index + 3] if id(g) in of_glyph and not g.text.isspace()]
            if near:
                # At equal distance the one drawn after it: right-to-left text is drawn from its end, marks first.
                base = min(reversed(near), key=lambda g: max(g.start - glyph.start, glyph.start - g.end, 0))
                of_glyph[id(base)].text += _folded(glyph.text)
    parts: list[_Part] = []
    for _, part in sorted(keyed, key=lambda pair: pair[0]):
        width = part.end - part.start
        drawn_twice = parts and parts[-1].text == part.text and part.start - parts[-1].start < 0.3 * width
        if not drawn_twice:  # as fonts without a bold face are made bold
            parts.append(part)
    return parts


@lru_cache(10_000)
def _is_mark(text: str) -> bool:
    return all(unicodedata.category(char) == "Mn" for char in text)


def _is_covered(bases: list[Glyph], index: int) -> bool:
    """Tell whether a space takes no room: the next letter is drawn over it, as where a half-space was meant."""
    space = bases[index]
    half = (space.end - space.start) / 2
    beside = [bases[other] for other in (index - 1, index + 1) if 0 <= other < len(bases)]
    return any(min(space.end, other.end) - max(space.start, other.start) > half for other in beside)


@lru_cache(10_000)
def _folded(text: str) -> str:
    """Return `text` with the shapes that letters take within words as the letters, and without what is not seen."""
    letters = _PRESENTATION.sub(lambda match: unicodedata.normalize("NFKC", match[0]).strip(), text)
    return _UNSEEN.sub("", letters)


def _plain(cell: Sequence[tuple[str, bool]], mirror: bool) -> str:
    text = "".join(part.translate(_MIRRORED) if mirror and rtl else part for part, rtl in cell)
    plain = " ".join(_STRAY_HALF_SPACES.sub("", text).replace("\u00ad", "").split())
    return _BULLET.sub(r"\g<0> ", plain)


def _brackets_are_mirrored(lines: Sequence[_Line]) -> bool:
    """Tell whether brackets were stored as they look; by the standard a bracket that opens is stored as one."""
    brackets = [part for line in lines for cell in line.cells for part, rtl in cell if rtl and part in "()[]«»"]
    return _pairs(part.translate(_MIRRORED) for part in brackets) > _pairs(iter(brackets))


def _pairs(brackets: Iterator[str]) -> int:
    opened: list[str] = []
    pairs = 0
    for bracket in brackets:
        if bracket in "([«":
            opened.append(bracket)
        elif opened and opened[-1].translate(_MIRRORED) == bracket:
            opened.pop()
            pairs += 1
    return pairs


def _joined(lines: Sequence[_Line], texts: Sequence[list[str]]) -> Iterator[str]:
    """Yield the lines and what stands between them."""
    left, right = min(line.start for line in lines), max(line.end for line in lines)
    drops = [above.baseline - line.baseline for above, line in pairwise(lines)]
    down = sorted(drop for drop in drops if drop > 0) or [0.0]
    pitch = down[len(down) // 4]  # the closer quarter is of lines within paragraphs, if there are such
    in_table = False
    for index, (line, cells) in enumerate(zip(lines, texts, strict=True)):
        goes_on = in_table and _same_columns(lines[index - 1], line)
        begins = not goes_on and index + 1 < len(lines) and _same_columns(line, lines[index + 1])
        is_row = goes_on or begins
        text = _row(cells) if is_row else "  ".join(cells)
        if begins:
            text += "\n" + "|".join(["", *[" --- "] * len(cells), ""])
        if index:
            above, drop = lines[index - 1], drops[index - 1]
            if 0 < drop <= 1.15 * pitch and _goes_on(above, line, texts[index - 1][-1], text, left, right):
                yield " "
            else:
                yield "\n" if 0 < drop <= 1.3 * pitch and in_table == is_row and not begins else "\n\n"
        yield text
        in_table = is_row


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _same_columns(one: _Line, other: _Line) -> bool:
    """Tell whether two lines are rows of one table: as many cells, parted at the same places."""
    if not one.gaps or len(one.gaps) != len(other.gaps):
        return False
    return all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(one.gaps, other.gaps, strict=True))


def _goes_on(above: _Line, line: _Line, text_above: str, text: str, left: float, right: float) -> bool:
    """Tell whether a sentence goes on in the next line: its line is full, its letters as large, and no list begins."""
    if above.gaps or line.gaps or text_above.endswith(_TERMINAL) or _LIST_ITEM.match(text):
        return False
    room = above.start - left if line.right_to_left else right - above.end
    return room <= _FULL * (right - left) and abs(above.size - line.size) < 0.05 * line.size
