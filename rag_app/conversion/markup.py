"""HTML, of a page or of a Word document, to the Markdown that chunks are cut from.

Headings, lists, tables, quotes and code; no emphasis, which would stand within words, and no escapes. Each element is
looked at once, and no level of nesting makes its lines longer without end, so that the time is linear in the length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rag_app.conversion.elements import Element, parse
from rag_app.conversion.formats import Converted

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Elements that stand on lines of their own; Markdown has no sign for these.
_BLOCKS = frozenset(
    "div article section dl dt dd figcaption summary details address legend label option textarea button".split()  # noqa: SIM905
)
_ROWS = frozenset(("thead", "tbody", "tfoot"))
# White space inside the ends of these, and around them, says nothing.
_TRIMMED = frozenset((*_BLOCKS, *_HEADINGS, *_ROWS, "p", "blockquote", "ol", "ul", "li", "table", "tr", "td", "th"))
_MAX_INDENTS = 20  # levels of lists and quotes whose lines begin further to the right than those of the level above
_MAX_COLUMNS = 100  # of one cell
_MAX_BLANK = 200  # characters of white space in preformatted text
_BLANK = re.compile(r"[ \t\r\n]{2,}|[\t\r\n]")  # but for single spaces, which are as they should be
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_LINE_START = re.compile(r"\n(?!\n|$)")
_BACKTICKS = re.compile("`+")
_ABSOLUTE = re.compile(r"(?:https?|mailto|tel):")


class _Within(NamedTuple):
    """What an element stands in: one line, preformatted text, code, and so many lists and quotes."""

    line: bool = False
    pre: bool = False
    code: bool = False
    indents: int = 0


def markdown_of(html: str, title: str = "") -> Converted:
    """Return an HTML text as Markdown, with its title: the one given, else that of `<title>`, else the first `<h1>`.

    Raises:
        ReadError: it has too many elements, or they are nested too deep.
    """
    page = parse(html)
    text = _BLANK_LINES.sub("\n\n", _Writer().children(page.root, _Within())).strip()
    titles = (" ".join(name.split()) for name in (title, page.title, page.heading))
    return Converted(title=next(filter(None, titles), ""), text=text)


class _Writer:
    def __init__(self) -> None:
        self._begun: set[Element | None] = set()  # tables whose first row is written

    def children(self, element: Element, within: _Within) -> str:
        """Return what is in an element as Markdown."""
        pieces: list[str] = []
        beside: Sequence[Element | str] = element.children
        trimmed = element.name in _TRIMMED
        number = _first_number(element) if element.name == "ol" else None
        for index, child in enumerate(beside):
            if isinstance(child, str):
                text = _text(child, within)
                if _is_trimmed(beside[index - 1]) if index else trimmed:
                    text = text.lstrip(" \t\r\n")
                if _is_trimmed(beside[index + 1]) if index + 1 < len(beside) else trimmed:
                    text = text.rstrip()
                pieces.append(text)
            elif child.name == "li":
                pieces.append(self._item(child, within, "- " if number is None else f"{number}. "))
                number = None if number is None else number + 1
            else:
                pieces.append(self._markdown(child, within))
        return "".join(pieces) if within.pre else _joined(pieces)

    def _item(self, item: Element, within: _Within, sign: str) -> str:
        text = self.children(item, within._replace(indents=within.indents + 1)).strip()
        if not text:
            return "\n"
        indent = " " * len(sign) if within.indents < _MAX_INDENTS else ""
        return f"{sign}{_LINE_START.sub(lambda _: chr(10) + indent, text)}\n"

    def _markdown(self, element: Element, within: _Within) -> str:
        name = element.name
        lays_out = element.holds_table if name == "table" else element.table is not None and element.table.holds_table
        if lays_out or name in _BLOCKS:
            return _block(self.children(element, within), within)
        if name == "p":
            return _block(self.children(element, within), within, " \t\r\n")
        if name in ("td", "th"):
            text = self.children(element, within if within.line else within._replace(line=True))
            return f" {text.strip().replace('|', chr(92) + '|').replace(chr(10), ' ')}{' |' * _columns(element)}"
        if name == "tr":
            return self._row(element, within)
        if name == "table":
            return f"\n\n{self.children(element, within).strip()}\n\n"
        if name == "caption":
            return f"{self.children(element, within).strip()}\n\n"
        if name in ("ul", "ol"):
            text = self.children(element, within)
            return f"\n{text.rstrip()}" if within.indents else f"\n\n{text}\n"
        if name == "br":
            return " " if within.line else "\n"
        if name == "hr":
            return "\n\n---\n\n"
        if name == "img":
            return element.attributes.get("alt") or element.attributes.get("title") or ""
        if name in _HEADINGS:
            return self._heading(element, within, _HEADINGS[name])
        if name == "blockquote":
            return self._quote(element, within)
        if name in ("a", "video", "audio"):
            return _link(element, self.children(element, within))
        if name == "q":
            return f'"{self.children(element, within)}"'
        if name == "pre":
            return _preformatted(self.children(element, within._replace(pre=True, code=True)))
        if name in ("code", "kbd", "samp"):
            text = self.children(element, within._replace(code=True))
            return text if within.code else _code(text)
        return self.children(element, within)

    def _row(self, row: Element, within: _Within) -> str:
        """Return a table's row; the first is taken for its header, as Markdown knows no table without one."""
        text = f"|{self.children(row, within)}\n"
        if row.table in self._begun or not (columns := _columns_of_row(row)):
            return text
        self._begun.add(row.table)
        return f"{text}| {' | '.join(['---'] * columns)} |\n"

    def _heading(self, element: Element, within: _Within, level: int) -> str:
        text = self.children(element, within._replace(line=True))
        if within.line:
            return text
        return f"\n\n{'#' * level} {_BLANK.sub(' ', text.strip())}\n\n" if text.strip() else "\n"

    def _quote(self, element: Element, within: _Within) -> str:
        text = self.children(element, within._replace(indents=within.indents + 1)).strip(" \t\r\n")
        if within.line:
            return f" {text} "
        if text and within.indents < _MAX_INDENTS:
            text = "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))
        return f"\n{text}\n\n" if text else "\n"


def _is_trimmed(beside: Element | str) -> bool:
    return not isinstance(beside, str) and (beside.name in _TRIMMED or beside.name == "pre")


def _text(text: str, within: _Within) -> str:
    if within.pre:
        return _BLANK.sub(lambda blank: blank[0][:_MAX_BLANK], text)
    return _BLANK.sub(lambda blank: "\n" if "\n" in blank[0] or "\r" in blank[0] else " ", text)


def _joined(pieces: Sequence[str]) -> str:
    """Return the pieces as one text; of the line ends between two of them the larger number is kept, two at most."""
    written: list[str] = []
    ended = 0  # the line ends of the last piece, which are not written yet
    for piece in filter(None, pieces):
        text = piece.strip("\n")
        begins = len(piece) - len(piece.lstrip("\n"))
        written.append("\n" * (min(2, max(ended, begins)) if ended and begins else ended or begins))
        written.append(text)
        ended = len(piece) - len(text) - begins
    return "".join((*written, "\n" * ended))


def _block(text: str, within: _Within, blank: str | None = None) -> str:
    text = text.strip(blank)
    return f" {text} " if within.line else f"\n\n{text}\n\n" if text else "\n"


def _link(element: Element, text: str) -> str:
    """Return a link's text, and where it leads if that is of use outside of its site."""
    target = (element.attributes.get("href") or element.attributes.get("src") or "").strip()
    name = text.strip()
    if not _ABSOLUTE.match(target):
        return text
    address = re.sub("^(?:mailto|tel):", "", target)
    return text if address in name else f"{text.rstrip()} ({address})" if name else address


def _preformatted(text: str) -> str:
    lines = text.rstrip(" \n")
    begins = len(lines) - len(lines.lstrip(" \n"))
    lines = lines[lines.rfind("\n", 0, begins) + 1 :]
    return f"\n\n```\n{lines}\n```\n\n" if text else ""


def _code(text: str) -> str:
    held = text.strip()
    if not held:
        return ""
    longest = max(map(len, _BACKTICKS.findall(held)), default=0)
    sign, room = "`" * (longest + 1), " " if longest else ""
    before, after = (" " if end == " " else "" for end in (text[0], text[-1]))
    return f"{before}{sign}{room}{held}{room}{sign}{after}"


def _first_number(numbered: Element) -> int:
    start = numbered.attributes.get("start", "")
    return int(start) if start.isdecimal() and len(start) < 10 else 1


def _columns(cell: Element) -> int:
    span = cell.attributes.get("colspan", "")
    return max(1, min(_MAX_COLUMNS, int(span))) if span.isdecimal() and len(span) < 4000 else 1


def _columns_of_row(row: Element) -> int:
    elements = (child for child in row.children if isinstance(child, Element))
    return sum(_columns(child) if child.name in ("td", "th") else _columns_of_row(child) for child in elements)
