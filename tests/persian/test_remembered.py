from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from rag_app.persian import matching
from rag_app.persian.packed import hash_of
from rag_app.persian.remembered import MOST_LETTERS, MOST_WORDS, remembered


def test_what_was_found_for_a_word_is_remembered_and_for_a_long_one_found_anew() -> None:
    asked: list[str] = []

    @remembered
    def length(word: str) -> int:
        asked.append(word)
        return len(word)

    word = "ک" * MOST_LETTERS
    assert [length(word), length(word)] == [MOST_LETTERS] * 2
    assert [length(f"{word}ک"), length(f"{word}ک")] == [MOST_LETTERS + 1] * 2
    assert asked == [word, f"{word}ک", f"{word}ک"]
    for number in range(MOST_WORDS):
        length(str(number))
    assert length(word) == MOST_LETTERS
    assert asked.count(word) == 2  # the oldest are forgotten


@pytest.mark.parametrize("find", [hash_of, matching._stem])
def test_no_word_of_thousands_of_letters_is_kept(find: Callable[[str], object]) -> None:
    find("کتاب")  # what is read at the first word stays
    tracemalloc.start()
    try:
        for number in range(100):
            find(f"{number:03}{'ک' * 8000}")
        assert tracemalloc.get_traced_memory()[0] < 200_000  # 16,000 a word
    finally:
        tracemalloc.stop()
