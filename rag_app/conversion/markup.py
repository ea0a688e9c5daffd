"""HTML, of a page or of a Word document, to the Markdown that chunks are cut from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from lxml import etree
from markdownify import MarkdownConverter

from rag_app.conversion.formats import Converted
from rag_app.errors import ReadError

MAX_ELEMENTS = 500_000
MAX_LEVELS = 10_000
_MAX_LOOKED_THROUGH = 200_000_000  # levels; a second, and eight times those of the most elements at 50 levels
_UNREAD = {"script", "style", "noscript", "template", "nav", "iframe", "svg", "object", "canvas"}
# Elements that stand on lines of their own, which Markdown has no sign for.
_BLOCKS = {"summary", "details", "dt", "dd", "address", "legend", "label", "option", "textarea", "button", "figcaption"}
_TABLE_PARTS = {"thead", "tbody", "tfoot", "tr", "td", "th", "caption"}
_DEEPEST = 200  # levels of elements; what is below is read as its text alone
_MAX_INDENTS = 20  # levels of lists and quotes whose lines begin further to the right than those of the level above
_PIECE = 2**16  # characters
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
# What shortens white space in Markdown takes the square of its length.
_LONG_BLANK = re.compile(r"([ \t\r\n]{80})[ \t\r\n]+")
_LINE_START = re.compile(r"\n(?!\n|$)")
_BARS = re.compile(r"(?<!\\)\|")
_ABSOLUTE = re.compile(r"(?:https?|mailto|tel):")


class _Element(Tag):
    """An element that finds the one around it by its name alone; the library's way took half of the time of a page."""

    def find_parent(self, name: str) -> Tag | None:  # type: ignore[override]
        parent = self.parent
        while parent is not None and parent.name != name:
            parent = parent.parent
        return parent


class _Markdown(MarkdownConverter):
    """Headings, lists, tables, quotes and code; no emphasis, which would stand within words, and no escapes."""

    class Options(MarkdownConverter.DefaultOptions):  # type: ignore[misc, name-defined]
        heading_style = "atx"
        bullets = "-"
        escape_asterisks = False
        escape_underscores = False

    def __init__(self) -> None:
        super().__init__()
        self._begun: set[int] = set()  # tables whose first row is written

    def _plain(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text

    convert_b = convert_strong = convert_i = convert_em = convert_del = convert_s = _plain

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Keep where a link leads if that is of use outside of its site."""
        target, name = str(el.get("href") or "").strip(), text.strip()
        if not _ABSOLUTE.match(target):
            return text
        address = re.sub("^(?:mailto|tel):", "", target)
        return text if address in name else f"{text.rstrip()} ({address})" if name else address

    def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return " " if "_inline" in parent_tags else "\n"

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return str(el.get("alt") or el.get("title") or "")

    def convert_p(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return super().convert_p(el, text, parent_tags) or "\n"  # type: ignore[misc] # words around it stay apart

    def convert_div(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return super().convert_div(el, text, parent_tags) or "\n"  # type: ignore[misc]

    def convert_hN(self, n: int, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: N802
        return super().convert_hN(n, el, text, parent_tags) if text.strip() else "\n"  # type: ignore[misc]

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write an item with its number of `_number`; the library counts the items before each."""
        text = text.strip()
        if not text:
            return "\n"
        sign = f"{el['value']}. " if el.parent and el.parent.name == "ol" else "- "
        return f"{sign}{_LINE_START.sub(chr(10) + ' ' * len(sign), text) if _indents(el) else text}\n"

    def convert_blockquote(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        write = super().convert_blockquote if _indents(el) else self.convert_div  # type: ignore[misc]
        return write(el, text, parent_tags)

    def convert_tr(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Take a table's first row for its header, which Markdown demands; the library looks through all for each."""
        table, columns = id(el.find_parent("table")), len(_BARS.findall(text))
        if table in self._begun or not columns:
            return f"|{text}\n"
        self._begun.add(table)
        return f"|{text}\n| {' | '.join(['---'] * columns)} |\n"

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        cell: str = super().convert_td(  # type: ignore[misc] # its stubs leave it out
            el, text.replace("|", r"\|"), parent_tags
        )
        return cell

    def convert_th(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        cell: str = super().convert_th(  # type: ignore[misc]
            el, text.replace("|", r"\|"), parent_tags
        )
        return cell


class _Size:
    """Is told of a page's elements by the parser and refuses too many, before a tree is made of them."""

    def __init__(self) -> None:
        self._elements = self._levels = self._looked_through = 0

    def start(self, tag: str, attributes: object) -> None:
        self._elements += 1
        self._levels += 1
        if self._elements > MAX_ELEMENTS:
            raise ReadError(f"the file has more than {MAX_ELEMENTS:,} elements (paragraphs, cells, breaks …); split it")
        if self._levels > MAX_LEVELS:
            raise ReadError(f"the file's elements are nested more than {MAX_LEVELS:,} levels deep")

    def end(self, tag: str) -> None:
        self._levels -= 1

    def pay_for_ends(self, count: int) -> None:
        """Refuse ends without a beginning, for which the parser looks in all open levels, before they take too long."""
        self._looked_through += count * self._levels
        if self._looked_through > _MAX_LOOKED_THROUGH:
            raise ReadError(f"the file ends elements again and again that are not open, {self._levels:,} levels deep")

    def close(self) -> None:
        """Nothing is left to do: a target must have it."""


def markdown_of(html: str, title: str = "") -> Converted:
    """Return an HTML text as Markdown, with its title: the one given, else that of `<title>`, else the first `<h1>`.

    Raises:
        ReadError: it has more than `MAX_ELEMENTS`, they are nested more than `MAX_LEVELS` deep, or too many ends there
            have no beginning.
    """
    size = _Size()
    parser = etree.HTMLParser(target=size, huge_tree=True)
    for start in range(0, len(html), _PIECE):  # after an error it would go on to the end of what it was given
        piece = html[start : start + _PIECE]
        parser.feed(piece)
        size.pay_for_ends(piece.count("</"))
    soup = BeautifulSoup(_LONG_BLANK.sub(r"\1", html), "lxml", element_classes={Tag: _Element})
    for tag in list(_named(soup, _UNREAD)):
        tag.clear()
    titles = soup.find_all("title")
    named = titles[0].get_text() if titles else ""
    for tag in titles:
        tag.clear()
    blank = [part for part in soup.descendants if isinstance(part, NavigableString) and _LONG_BLANK.search(part)]
    for piece in blank:  # written as character references
        piece.replace_with(type(piece)(_LONG_BLANK.sub(r"\1", piece)))
    _flatten(soup)
    for part in _laying_out(soup):
        part.name = "div"
    for tag in _named(soup, _BLOCKS):
        tag.name = "div"
    for numbered in soup.find_all("ol"):
        _number(numbered)
    heading = next((tag.get_text(" ") for tag in _named(soup, {"h1"})), "")
    text = _BLANK_LINES.sub("\n\n", _Markdown().convert_soup(soup)).strip()
    names = (" ".join(name.split()) for name in (title, named, heading))
    return Converted(title=next(filter(None, names), ""), text=text)


def _named(soup: BeautifulSoup, names: Collection[str]) -> Iterator[Tag]:
    """Yield the elements of these names; the library compares each with each name in turn, by its rules."""
    return (part for part in soup.descendants if isinstance(part, Tag) and part.name in names)


def _flatten(soup: BeautifulSoup) -> None:
    """Put the text of what is nested too deep to be a page's structure in its place; recursion would not end well."""
    level: list[Tag] = [soup]
    for _ in range(_DEEPEST):
        level = [child for tag in level for child in tag.children if isinstance(child, Tag)]
        if not level:
            return
    for tag in level:
        tag.name, tag.string = "span", "\n".join(tag.stripped_strings)


def _indents(tag: Tag) -> bool:
    return sum(parent.name in ("li", "blockquote") for parent in tag.parents) < _MAX_INDENTS


def _number(numbered: Tag) -> None:
    start = str(numbered.get("start", ""))
    first = int(start) if start.isdecimal() and len(start) < 10 else 1
    for number, item in enumerate(numbered.find_all("li", recursive=False), first):
        item["value"] = str(number)


def _laying_out(soup: BeautifulSoup) -> list[Tag]:
    """Return the tables that lay the page out, which are those that hold a table, and their own parts."""
    tables = [table for table in soup.find_all("table") if table.find("table")]
    known = set(map(id, tables))
    parts = _named(soup, _TABLE_PARTS) if tables else ()
    return tables + [part for part in parts if id(part.find_parent("table")) in known]
