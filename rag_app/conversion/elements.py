"""HTML, of a page or of a Word document, to the elements that are read, in time and memory linear in its length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from rag_app.errors import ReadError

MAX_ELEMENTS = 1_000_000
MAX_LEVELS = 10_000  # for an end tag that ends nothing the parser looks through all that are open
_PIECE = 2**16  # bytes
_SHOWN_LEVELS = 200  # what is below is no page's structure, and is read as its text alone
_UNREAD = frozenset(("script", "style", "noscript", "template", "nav", "iframe", "svg", "object", "canvas", "title"))
_PARTS_OF_TABLES = frozenset(("thead", "tbody", "tfoot", "tr", "td", "th", "caption"))
_ATTRIBUTES = ("href", "src", "alt", "title", "colspan", "start")
_NONE: Mapping[str, str] = {}


@dataclass(slots=True, eq=False)
class Element:
    """An element that is read.

    Attributes:
        name: in small letters.
        attributes: those that say something.
        table: the table that it is a part of.
        children: elements, and texts as they are written; no two texts follow one another.
        holds_table: whether a table is in it; a table that holds one lays the page out.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    table: Element | None = None
    children: list[Element | str] = field(default_factory=list)
    holds_table: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What is read of a page: its elements, what `<title>` says, and what the first `<h1>` says."""

    root: Element
    title: str
    heading: str


def parse(html: str) -> Page:
    """Return what an HTML text holds, however broken it is.

    Raises:
        ReadError: it has too many elements, or they are nested too deep.
    """
    page = _Elements()
    parser = etree.HTMLParser(target=page, encoding="utf-8", huge_tree=True)
    content = html.encode()
    for start in range(
        0, len(content), _PIECE
    ):  # after an error the parser would go on to the end of what it was given
        parser.feed(content[start : start + _PIECE])
    if content:
        parser.close()
    heading = " ".join(_texts(page.heading)) if page.heading else ""
    return Page(page.root, "".join(page.title or ()), heading)


def _texts(element: Element) -> Iterator[str]:
    for child in element.children:
        if isinstance(child, str):
            yield child
        else:
            yield from _texts(child)


class _Elements:
    """Is told of every start, text and end in turn, each start with its end, and keeps what is read."""

    def __init__(self) -> None:
        self.root = Element("html")
        self.title: list[str] | None = None
        self.heading: Element | None = None
        self._opened = [self.root]
        self._tables: list[Element] = []
        self._text: list[str] = []
        self._count = self._level = self._unread = self._below = 0
        self._in_title = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        self._level += 1
        if self._count > MAX_ELEMENTS:
            raise ReadError(f"the file has more than {MAX_ELEMENTS:,} elements (paragraphs, cells, breaks …); split it")
        if self._level > MAX_LEVELS:
            raise ReadError(f"the file's elements are nested more than {MAX_LEVELS:,} levels deep")
        if self._unread or name in _UNREAD:
            self._unread += 1
            if name == "title" and self._unread == 1 and self.title is None:
                self.title, self._in_title = [], True
            return
        self._end_text()
        if self._below or len(self._opened) > _SHOWN_LEVELS:
            self._below += 1
            return
        kept = {key: attributes[key] for key in _ATTRIBUTES if key in attributes} if attributes else _NONE
        table = self._tables[-1] if self._tables else None
        element = Element(name, kept, table if name in _PARTS_OF_TABLES else None)
        self._opened[-1].children.append(element)
        self._opened.append(element)
        if name == "table":
            if table:
                table.holds_table = True
            self._tables.append(element)
        elif name == "h1" and self.heading is None:
            self.heading = element

    def end(self, name: str) -> None:
        self._level -= 1
        if self._unread:
            self._unread -= 1
            self._in_title = self._in_title and self._unread > 0
            return
        self._end_text()
        if self._below:
            self._below -= 1
        elif self._opened.pop().name == "table":
            self._tables.pop()

    def data(self, text: str) -> None:
        if self._in_title and self.title is not None:
            self.title.append(text)
        elif not self._unread:
            self._text.append(text)

    def close(self) -> None:
        """Nothing is left to do: the end of the root was told of before."""

    def _end_text(self) -> None:
        if not self._text:
            return
        text = "".join(self._text)
        self._text.clear()
        children = self._opened[-1].children
        if self._below:
            text = f"\n{text.strip()}"
        if children and isinstance(children[-1], str):  # as below what is shown
            children[-1] += text
        else:
            children.append(text)
