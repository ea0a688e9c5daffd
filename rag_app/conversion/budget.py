"""What a PDF may draw, so that a small one takes neither long nor much memory."""

from __future__ import annotations

from pdfminer.pdftypes import PDFStream, resolve1

from rag_app.errors import ReadError

_PAGE_BYTES = 5_000_000  # of instructions; those of a full page of text have some ten thousand
_PAGE_GLYPHS = 100_000  # a full page of text has some five thousand
_UNPACKED = 50  # what is drawn for each byte of the file
_STREAM_BYTES = 1000  # what it takes to begin with a stream of instructions, in the time of instructions
_STATE_BYTES = 50  # what it takes to keep a state of the drawing, likewise


class TooMuchDrawnError(ReadError):
    """A page, or all pages together, draw more than is read."""


class Budget:
    """What may be drawn. A small file can unpack to instructions without end, or draw the same again and again."""

    def __init__(self, file_bytes: int) -> None:
        self._allowed = self._bytes = _PAGE_BYTES + _UNPACKED * file_bytes
        self._glyphs = 10 * _PAGE_GLYPHS + _UNPACKED * file_bytes
        self.begin_page()

    def begin_page(self) -> None:
        """Let another page draw as much as one may."""
        self._page_bytes, self._page_glyphs = _PAGE_BYTES, _PAGE_GLYPHS

    def pay_for(self, stream: object) -> None:
        """Pay for instructions, or a table of letters, before they are followed, each time that they are."""
        unpacked = resolve1(stream)
        self._pay(_STREAM_BYTES + (len(unpacked.get_data()) if isinstance(unpacked, PDFStream) else 0))

    def pay_for_state(self) -> None:
        """Pay for a state of the drawing that is kept."""
        self._pay(_STATE_BYTES)

    def pay_for_glyphs(self, count: int) -> None:
        """Pay for glyphs before they are drawn."""
        self._page_glyphs -= count
        if self._page_glyphs < 0:
            raise TooMuchDrawnError(f"more than {_PAGE_GLYPHS:,} letters on one page")
        self._glyphs -= count
        if self._glyphs < 0:
            raise TooMuchDrawnError("more letters up to them than such a file can hold")

    def _pay(self, size: int) -> None:
        self._page_bytes -= size
        if self._page_bytes < 0:
            raise TooMuchDrawnError(f"more than {_PAGE_BYTES / 1e6:g} MB of instructions on one page")
        self._bytes -= size
        if self._bytes < 0:
            raise TooMuchDrawnError(f"more than {self._allowed / 1e6:.1f} MB of instructions up to them")
