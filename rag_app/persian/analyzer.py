"""The one analyser of index and query: text to search tokens."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property

from rag_app.persian.folding import HALF_SPACE, fold

_NUMBER = r"\d{1,64}(?:[.,/]\d{1,64})*"
_LETTERS = r"[^\W\d_]{1,64}"  # no word is longer, and n-grams of a whole page of one letter would fill the memory
_WORD = re.compile(rf"{_NUMBER}|{_LETTERS}(?:{HALF_SPACE}+{_LETTERS})*")
_THOUSANDS = re.compile(r"^\d{1,3}(?:,\d{3})+(?:\.\d+)?$")

# One of everything that folding and splitting treat in a way of their own: whatever changes the tokens changes these.
_SAMPLE = "كتاب‌هايِ مي\u200bخواهـم ة أإآؤئ ۀ هٔ ۱٬۲۵۰٬۰۰۰ ٤٫٥ 1,25 ۱۴۰۲/۰۵/۰۱ Café ﷼ ﻻ x_y a.b " + "ی" * 70


class PersianAnalyzer:
    """Splits text into folded words, the same way for documents and questions."""

    @cached_property
    def fingerprint(self) -> str:
        """Identify the tokens this analyser makes; an index of another fingerprint is refused."""
        sample = " ".join(self.tokens(_SAMPLE))
        return f"persian-{hashlib.sha256(sample.encode()).hexdigest()[:12]}"

    def forms(self, text: str) -> list[tuple[str, ...]]:
        """Return the forms of each word, in order: the word, joined if it was half-spaced, and then its parts.

        "۱٬۲۵۰" is "1250".
        """
        return [_forms(word) for word in _WORD.findall(fold(text))]

    def words(self, text: str) -> list[str]:
        """Return the first form of each word."""
        return [forms[0] for forms in self.forms(text)]

    def tokens(self, text: str) -> list[str]:
        """Return the search tokens: every form of every word."""
        return [form for forms in self.forms(text) for form in forms]


def _forms(word: str) -> tuple[str, ...]:
    if HALF_SPACE in word:
        parts = [part for part in word.split(HALF_SPACE) if part]
        return ("".join(parts), *parts)
    return (_plain(word),)


def _plain(word: str) -> str:
    """Return a number without its thousands separators, any other word as it is."""
    return word.replace(",", "") if _THOUSANDS.match(word) else word
