"""Folding text for search: the many ways of typing one word become one. Never used on text that is shown."""

from __future__ import annotations

import unicodedata

HALF_SPACE = "\u200c"

_REPLACED: dict[str, str | None] = {
    # Letters that keyboards interchange, after NFKD has taken hamza, madda and the presentation forms apart.
    **dict.fromkeys("يىېےئ", "ی"),
    **dict.fromkeys("كڪ", "ک"),
    **dict.fromkeys("ةەہھۀ", "ه"),
    "ٱ": "ا",
    # What editors leave where a half-space was meant.
    **dict.fromkeys("\u200b\u200c\u200d\u00ad\ufeff¬", HALF_SPACE),
    "٬": ",",
    "٫": ".",
    "ـ": None,
}


class _FoldingTable(dict[int, str | None]):
    """A table for `str.translate` that works each character out when it first occurs."""

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        if char in _REPLACED:
            folded = _REPLACED[char]
        elif unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
            # Diacritics and invisible format characters. Marks that NFKD sorts must all go: the rest would sort anew.
            folded = None
        else:
            digit = unicodedata.decimal(char, None)
            folded = char if digit is None else str(digit)
        self[code] = folded
        return folded


_TABLE = _FoldingTable()


# The time to sort marks that stand in a row grows with the square of their number, so text is folded in pieces of so
# many characters. Where a piece ends changes nothing, as no mark that is sorted is kept.
_PIECE = 256


def fold(text: str) -> str:
    """Return `text` with letters, digits, half-spaces and case unified and diacritics removed; idempotent."""
    if len(text) <= _PIECE:
        return _folded(text)
    return "".join([_folded(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE)])


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return decomposed.translate(_TABLE)
