"""The fonts of a PDF: which letters its glyphs are, and how wide."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pdfminer.pdffont import PDFFont, PDFUnicodeNotDefined
from pdfminer.pdfinterp import PDFResourceManager
from pdfminer.pdftypes import PDFObjRef, dict_value

from rag_app.conversion.budget import Budget


class Font:
    """A font with what is known of the glyphs that were drawn.

    Attributes:
        codes: takes a string apart to the codes of its glyphs.
        is_vertical: whether lines run downwards.
        has_word_space: whether spaces can be made wider than the font has them.
    """

    def __init__(self, font: PDFFont) -> None:
        self.codes: Callable[[bytes], Iterable[int]] = font.decode
        self.is_vertical = font.is_vertical()
        self.has_word_space = not font.is_multibyte()
        self._font = font
        self._known: dict[int, tuple[str | None, float]] = {}

    def glyph(self, code: int) -> tuple[str | None, float]:
        """Return a glyph's letters, None if the font does not tell them, and how far the next is, in sizes."""
        known = self._known.get(code)
        if known is None:
            try:
                text = self._font.to_unichr(code)
            except PDFUnicodeNotDefined:
                text = None
            known = self._known[code] = text, self._font.char_width(code)
        return known


class Fonts:
    """A document's fonts, read when they are drawn with for the first time.

    Args:
        budget: pays for the tables of letters that fonts bring.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._library = PDFResourceManager(caching=False)
        self._read: dict[int, Font] = {}

    def read(self, given: object) -> Font:
        """Return the font that a page's resources name, or one of the usual letters if there is none."""
        number = given.objid if isinstance(given, PDFObjRef) else None
        if number in self._read:
            return self._read[number]
        description = dict_value(given)
        for table in ("ToUnicode", "Encoding"):
            self._budget.pay_for(description.get(table))
        font = Font(self._library.get_font(None, description))
        if number is not None:
            self._read[number] = font
        return font
