"""Remembering what was found for words, which come again and again in questions."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

T = TypeVar("T")

MOST_WORDS = 4096
MOST_LETTERS = 64  # a customer may write longer ones, as long as a question may be, which are no words of a language


def remembered(find: Callable[[str], T]) -> Callable[[str], T]:
    """Have a function of a word remember what it found for the last words of at most 64 letters."""
    known = lru_cache(maxsize=MOST_WORDS)(find)

    @wraps(find)
    def found(word: str) -> T:
        return known(word) if len(word) <= MOST_LETTERS else find(word)

    return found
