"""PDF documents to text, from where each glyph is drawn."""

from __future__ import annotations

import io
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pdfminer import pdftypes
from pdfminer.converter import PDFPageAggregator
from pdfminer.layout import LTChar, LTComponent, LTContainer
from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFNoValidXRef
from pdfminer.pdffont import PDFFont
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser, PDFSyntaxError
from pdfminer.pdftypes import PDFStream, resolve1
from pdfminer.psparser import LIT, PSKeyword
from pdfminer.utils import Matrix, decode_text

from rag_app.conversion.formats import Converted
from rag_app.conversion.pages import Glyph, page_text
from rag_app.errors import ReadError

_MAX_PAGES = 5000
_PAGE_BYTES = 5_000_000  # of instructions; those of a full page of text have some ten thousand
_PAGE_GLYPHS = 100_000  # a full page of text has some five thousand
_UNPACKED = 50  # what is drawn for each byte of the file
_STREAM_BYTES = 1000  # what it takes to begin with a stream of instructions, in the time of instructions
_STATE_BYTES = 50  # what it takes to keep a state of the drawing, likewise
_SHOWN_PAGES = 20
_OCR = "text must be recognised first (OCR), for example by ocrmypdf -l fas"
_NO_TITLE = re.compile(r"untitled$|microsoft word\b|.*\.\w{2,5}$", re.IGNORECASE)  # what programs write by themselves


class _TooMuchDrawnError(Exception):
    """A page, or all pages together, draw more than is read."""


class _Budget:
    """What may be drawn. A small file can unpack to instructions without end, or draw the same again and again."""

    def __init__(self, file_bytes: int) -> None:
        self._allowed = self._bytes = _PAGE_BYTES + _UNPACKED * file_bytes
        self._glyphs = 10 * _PAGE_GLYPHS + _UNPACKED * file_bytes
        self.begin_page()

    def begin_page(self) -> None:
        self._page_bytes, self._page_glyphs = _PAGE_BYTES, _PAGE_GLYPHS

    def pay_for(self, stream: object) -> None:
        unpacked = resolve1(stream)
        self.pay(_STREAM_BYTES + (len(unpacked.get_data()) if isinstance(unpacked, PDFStream) else 0))

    def pay(self, size: int) -> None:
        self._page_bytes -= size
        if self._page_bytes < 0:
            raise _TooMuchDrawnError(f"more than {_PAGE_BYTES / 1e6:g} MB of instructions on one page")
        self._bytes -= size
        if self._bytes < 0:
            raise _TooMuchDrawnError(f"more than {self._allowed / 1e6:.1f} MB of instructions up to them")

    def pay_for_glyph(self) -> None:
        self._page_glyphs -= 1
        if self._page_glyphs < 0:
            raise _TooMuchDrawnError(f"more than {_PAGE_GLYPHS:,} letters on one page")
        self._glyphs -= 1
        if self._glyphs < 0:
            raise _TooMuchDrawnError("more letters up to them than such a file can hold")


class _Parser(PDFParser):
    """Refuses streams of objects that unpack without end before their objects are looked for."""

    def do_keyword(self, pos: int, token: PSKeyword) -> None:
        super().do_keyword(pos, token)
        stream = self.curstack[-1][1] if self.curstack else None
        if isinstance(stream, PDFStream) and stream.get("Type") is LIT("ObjStm"):
            with suppress(zlib.error):  # of another filter, or encrypted
                if len(zlib.decompressobj().decompress(stream.rawdata or b"", _PAGE_BYTES + 1)) > _PAGE_BYTES:
                    raise ReadError(f"the PDF holds objects in a stream of more than {_PAGE_BYTES / 1e6:g} MB")


class _Resources(PDFResourceManager):
    """Pays for the tables of letters that fonts bring before they are read."""

    def __init__(self, budget: _Budget) -> None:
        super().__init__()
        self._budget = budget
        self._paid: set[object] = set()

    def get_font(self, objid: object, spec: Mapping[str, object]) -> PDFFont:
        if not objid or objid not in self._paid:  # others are kept
            for table in ("ToUnicode", "Encoding"):
                self._budget.pay_for(spec.get(table))
            self._paid.add(objid)
        return super().get_font(objid, spec)


class _Glyphs(PDFPageAggregator):
    """Collects a page's glyphs and counts those whose letters the font does not tell."""

    def __init__(self, resources: PDFResourceManager, budget: _Budget) -> None:
        super().__init__(resources, laparams=None)
        self.budget = budget
        self.unknown = 0

    def handle_undefined_char(self, font: PDFFont, cid: int) -> str:
        self.unknown += 1
        return ""

    def render_char(self, matrix: Matrix, *args: Any, **named: Any) -> float:
        self.budget.pay_for_glyph()
        return super().render_char(matrix, *args, **named)


class _Interpreter(PDFPageInterpreter):
    """Pays for instructions before they are followed, each time that they are."""

    device: _Glyphs

    def execute(self, streams: Sequence[object]) -> None:
        for stream in streams:
            self.device.budget.pay_for(stream)
        super().execute(streams)

    def do_q(self) -> None:
        self.device.budget.pay(_STATE_BYTES)
        super().do_q()


def _unpacked(data: bytes) -> bytes:
    """Return what is in a stream whose checksum is wrong, or raise zlib.error if more is.

    It takes the place of what the library does byte by byte, in time that grows with the square of the length.
    """
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(data[:-3])
    with suppress(zlib.error):
        content += unpacking.decompress(data[-3:])
    return content


pdftypes.decompress_corrupted = _unpacked


def convert(content: bytes, max_bytes: int) -> Converted:
    """Return a PDF's title, if it names one, and its text: by pages, without those that draw too much.

    Raises:
        ReadError: it is no PDF, is encrypted, has too many pages, or holds no text but pictures of it.
    """
    try:
        document = PDFDocument(_Parser(io.BytesIO(content)))
    except PDFEncryptionError as error:
        raise ReadError("the PDF is encrypted; save it without a password") from error
    except (PDFSyntaxError, PDFNoValidXRef) as error:
        raise ReadError(f"the file is no PDF, or a broken one: {error}") from error
    _refuse_too_many(_declared_pages(document))
    budget = _Budget(len(content))
    resources = _Resources(budget)
    pages: list[str] = []
    left_out: dict[str, list[int]] = defaultdict(list)
    known = unknown = size = 0
    for number, page in enumerate(PDFPage.create_pages(document), start=1):
        _refuse_too_many(number)
        device = _Glyphs(resources, budget)
        budget.begin_page()
        try:
            _Interpreter(resources, device).process_page(page)
        except _TooMuchDrawnError as reason:
            left_out[str(reason)].append(number)
            continue
        glyphs = [_glyph(char) for char in _chars(device.get_result()) if char.get_text()]
        known, unknown = known + len(glyphs), unknown + device.unknown
        pages.append(page_text(glyphs))
        size += len(pages[-1])
        if size > max_bytes:
            break  # the text is refused by its length
    text = "\n\n".join(filter(None, pages))
    notes = tuple(
        f"pages of the PDF were left out ({reason}): {_shown(numbers)}" for reason, numbers in left_out.items()
    )
    if unknown > known:
        raise ReadError(f"the PDF's fonts do not tell which letters they draw; {_OCR}")
    if not text:
        raise ReadError("; ".join(notes) or f"the PDF holds no text, only pictures; {_OCR}")
    return Converted(_title(document), text, notes)


def _shown(numbers: Sequence[int]) -> str:
    more = len(numbers) - _SHOWN_PAGES
    return ", ".join(map(str, numbers[:_SHOWN_PAGES])) + (f" and {more} more" if more > 0 else "")


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
