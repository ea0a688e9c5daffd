"""HTML, of a page or of a Word document, to the Markdown that chunks are cut from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

from rag_app.conversion.formats import Converted

_UNREAD = ["script", "style", "noscript", "template", "nav", "iframe", "svg", "object", "canvas"]
# Elements that stand on lines of their own, which Markdown has no sign for.
_BLOCKS = ["summary", "details", "dt", "dd", "address", "legend", "label", "option", "textarea", "button", "figcaption"]
_DEEPEST = 200  # levels of elements; what is below is read as its text alone
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
# What shortens white space in Markdown takes the square of its length.
_LONG_BLANK = re.compile(r"([ \t\r\n]{200})[ \t\r\n]+")
_ABSOLUTE = re.compile(r"(?:https?|mailto|tel):")


class _Markdown(MarkdownConverter):
    """Headings, lists, tables, quotes and code; no emphasis, which would stand within words, and no escapes."""

    class Options(MarkdownConverter.DefaultOptions):  # type: ignore[misc, name-defined]
        heading_style = "atx"
        bullets = "-"
        escape_asterisks = False
        escape_underscores = False
        table_infer_header = True

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


def markdown_of(html: str, title: str = "") -> Converted:
    """Return an HTML text as Markdown, with its title: the one given, else that of `<title>`, else the first `<h1>`."""
    soup = BeautifulSoup(html, "lxml")
    for tag in soup.find_all(_UNREAD):
        tag.decompose()
    named = soup.title.get_text() if soup.title else ""
    for tag in soup.find_all("title"):
        tag.decompose()
    for piece in soup.find_all(string=_LONG_BLANK):
        piece.replace_with(type(piece)(_LONG_BLANK.sub(r"\1", piece)))
    _flatten(soup)
    for table in soup.find_all("table"):
        if table.find("table"):  # it lays the page out
            for part in _own_parts(table):
                part.name = "div"
    for tag in soup.find_all(_BLOCKS):
        tag.name = "div"
    heading = soup.h1.get_text(" ") if soup.h1 else ""
    text = _BLANK_LINES.sub("\n\n", _Markdown().convert_soup(soup)).strip()
    titles = (" ".join(name.split()) for name in (title, named, heading))
    return Converted(title=next(filter(None, titles), ""), text=text)


def _flatten(soup: BeautifulSoup) -> None:
    """Put the text of what is nested too deep to be a page's structure in its place; recursion would not end well."""
    level: list[Tag] = [soup]
    for _ in range(_DEEPEST):
        level = [child for tag in level for child in tag.children if isinstance(child, Tag)]
        if not level:
            return
    for tag in level:
        tag.replace_with("\n".join(tag.stripped_strings))


def _own_parts(table: Tag) -> Iterator[Tag]:
    yield table
    for part in table.find_all(["thead", "tbody", "tfoot", "tr", "td", "th", "caption"]):
        if part.find_parent("table") is table or part.find_parent("table") is None:
            yield part
