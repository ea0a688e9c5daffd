"""PDF documents to text, from where each glyph is drawn."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator

from pdfminer.converter import PDFPageAggregator
from pdfminer.layout import LTChar, LTComponent, LTContainer
from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFNoValidXRef
from pdfminer.pdffont import PDFFont
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser, PDFSyntaxError
from pdfminer.pdftypes import resolve1
from pdfminer.utils import decode_text

from rag_app.conversion.formats import Converted
from rag_app.conversion.pages import Glyph, page_text
from rag_app.errors import ReadError

_MAX_PAGES = 5000
_OCR = "text must be recognised first (OCR), for example by ocrmypdf -l fas"
_NO_TITLE = re.compile(r"untitled$|microsoft word\b|.*\.\w{2,5}$", re.IGNORECASE)  # what programs write by themselves


class _Glyphs(PDFPageAggregator):
    """Collects a page's glyphs and counts those whose letters the font does not tell."""

    unknown = 0

    def handle_undefined_char(self, font: PDFFont, cid: int) -> str:
        self.unknown += 1
        return ""


def convert(content: bytes, max_bytes: int) -> Converted:
    """Return a PDF's title, if it names one, and its text; a page begins a paragraph.

    Raises:
        ReadError: it is no PDF, is encrypted, has too many pages, or holds no text but pictures of it.
    """
    try:
        document = PDFDocument(PDFParser(io.BytesIO(content)))
    except PDFEncryptionError as error:
        raise ReadError("the PDF is encrypted; save it without a password") from error
    except (PDFSyntaxError, PDFNoValidXRef) as error:
        raise ReadError(f"the file is no PDF, or a broken one: {error}") from error
    _refuse_too_many(_declared_pages(document))
    resources = PDFResourceManager()
    device = _Glyphs(resources, laparams=None)
    interpreter = PDFPageInterpreter(resources, device)
    pages: list[str] = []
    known = size = 0
    for number, page in enumerate(PDFPage.create_pages(document), start=1):
        _refuse_too_many(number)
        interpreter.process_page(page)
        glyphs = [_glyph(char) for char in _chars(device.get_result()) if char.get_text()]
        known += len(glyphs)
        pages.append(page_text(glyphs))
        size += len(pages[-1])
        if size > max_bytes:
            break  # the text is refused by its length
    text = "\n\n".join(filter(None, pages))
    if device.unknown > known:
        raise ReadError(f"the PDF's fonts do not tell which letters they draw; {_OCR}")
    if not text:
        raise ReadError(f"the PDF holds no text, only pictures; {_OCR}")
    return Converted(title=_title(document), text=text)


def _declared_pages(document: PDFDocument) -> int:
    pages = resolve1(document.catalog.get("Pages"))
    count = resolve1(pages.get("Count")) if isinstance(pages, dict) else 0
    return count if isinstance(count, int) else 0


def _refuse_too_many(pages: int) -> None:
    if pages > _MAX_PAGES:
        raise ReadError(f"the PDF has more than {_MAX_PAGES} pages; split it")


def _title(document: PDFDocument) -> str:
    titles = (resolve1(info.get("Title")) for info in document.info)
    title = next((" ".join(decode_text(title).split()) for title in titles if isinstance(title, bytes)), "")
    return "" if _NO_TITLE.match(title) else title


def _chars(container: LTContainer[LTComponent]) -> Iterator[LTChar]:
    for item in container:
        if isinstance(item, LTChar):
            yield item
        elif isinstance(item, LTContainer):
            yield from _chars(item)


def _glyph(char: LTChar) -> Glyph:
    """Return the glyph with its place along the direction of its line, which may be rotated, and across it."""
    a, b, _, _, x, y = char.matrix
    scale = math.hypot(a, b) or 1.0
    along, across = a / scale, b / scale
    start = x * along + y * across
    ends = sorted((start, start + char.adv * scale))
    return Glyph(char.get_text(), ends[0], ends[1], y * along - x * across, char.size)
