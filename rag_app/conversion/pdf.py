"""PDF documents to text, from where each glyph is drawn."""

from __future__ import annotations

import io
import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace

from pdfminer import pdftypes
from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFNoValidXRef
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser, PDFSyntaxError
from pdfminer.pdftypes import PDFStream, resolve1
from pdfminer.psparser import LIT, PSKeyword
from pdfminer.utils import decode_text

from rag_app.conversion.budget import Budget, TooMuchDrawnError
from rag_app.conversion.drawing import Drawing
from rag_app.conversion.fonts import Fonts
from rag_app.conversion.formats import Converted
from rag_app.conversion.pages import page_text
from rag_app.errors import ReadError

_MAX_PAGES = 5000
_STREAM_BYTES = 50_000_000  # what a stream may unpack to, such as a font of all of Chinese
_OBJECTS_BYTES = 5_000_000  # likewise, of objects
_SHOWN_PAGES = 20
_OCR = "text must be recognised first (OCR), for example by ocrmypdf -l fas"
_NO_TITLE = re.compile(r"untitled$|microsoft word\b|.*\.\w{2,5}$", re.IGNORECASE)  # what programs write by themselves


class _Parser(PDFParser):
    """Refuses streams of objects that unpack without end before their objects are looked for."""

    def do_keyword(self, pos: int, token: PSKeyword) -> None:
        super().do_keyword(pos, token)
        stream = self.curstack[-1][1] if self.curstack else None
        if isinstance(stream, PDFStream) and stream.get("Type") is LIT("ObjStm"):
            with suppress(zlib.error):  # of another filter, or encrypted
                if len(zlib.decompressobj().decompress(stream.rawdata or b"", _OBJECTS_BYTES + 1)) > _OBJECTS_BYTES:
                    raise ReadError(f"the PDF holds objects in a stream of more than {_OBJECTS_BYTES / 1e6:g} MB")


def _unpacked(data: bytes) -> bytes:
    """Return what is in a stream, if need be without its end or checksum.

    It takes the place of what the library does: without bounds and, where the checksum is wrong, byte by byte, in time
    that grows with the square of the length.

    Raises:
        TooMuchDrawnError: it is too much.
        zlib.error: the stream is broken before its end.
    """
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(data[:-4], _STREAM_BYTES + 1)
    with suppress(zlib.error):
        content += unpacking.decompress(unpacking.unconsumed_tail + data[-4:], _STREAM_BYTES + 1)
    if len(content) > _STREAM_BYTES:
        raise TooMuchDrawnError(f"the PDF holds a stream of more than {_STREAM_BYTES / 1e6:g} MB")
    return content


vars(pdftypes).update(zlib=SimpleNamespace(decompress=_unpacked, error=zlib.error), decompress_corrupted=_unpacked)


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
    budget = Budget(len(content))
    fonts = Fonts(budget)
    pages: list[str] = []
    left_out: dict[str, list[int]] = defaultdict(list)
    known = unknown = size = 0
    for number, page in enumerate(PDFPage.create_pages(document), start=1):
        _refuse_too_many(number)
        budget.begin_page()
        try:
            drawing = Drawing(page, fonts, budget)
        except TooMuchDrawnError as reason:
            left_out[str(reason)].append(number)
            continue
        known, unknown = known + len(drawing.glyphs), unknown + drawing.unknown
        pages.append(page_text(drawing.glyphs))
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
