from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.persian.lexicon import Lexicon
from rag_app.persian.matching import WordMatcher
from rag_app.persian.packed import PackedWords

HELD = Counter({"شهریه": 3, "کتاب": 2, "ارسال": 2, "استرداد": 1, "قسطی": 1, "book": 1})
ASKED = ["شهریه", "ارسل", "کتب", "shahrie", "book", "استراداد", "کتابها", "1250"]


def matcher(words: Iterable[str], counts: Iterable[int]) -> WordMatcher:
    """Return one of words in this order, over the empty lexicon."""
    held, lexicon = Lexicon().words, Lexicon()
    for word in words:
        held = held.with_more(PackedWords.of([word]))
    return WordMatcher(held, np.fromiter(counts, np.int32), lexicon)


def found(made: WordMatcher, words: list[str], *, english: bool = False) -> list[dict[int, float]]:
    return made.matches(words, [made.place(word) for word in words], english=english)


KEPT = matcher(HELD, HELD.values())


@given(st.lists(st.sampled_from(ASKED), max_size=8), st.booleans())
def test_what_was_found_before_changes_nothing(words: list[str], english: bool) -> None:
    fresh = matcher(HELD, HELD.values())
    fresh._told.max_bytes = 0
    assert found(KEPT, words, english=english) == found(fresh, words, english=english)


def test_what_a_word_may_stand_for_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = matcher(HELD, HELD.values())
    looked_for: list[str] = []
    spelt_like = made._words.spelt_like
    monkeypatch.setattr(
        made._words, "spelt_like", lambda words, least: looked_for.extend(words) or spelt_like(words, least)
    )
    assert found(made, ["شهریه", "کتاب"]) == found(made, ["شهریه", "کتاب"])
    found(made, ["کتاب", "ارسال"])
    assert sorted(looked_for) == sorted(["شهریه", "کتاب", "ارسال"])


def test_of_equally_good_words_the_same_is_best_in_whatever_order_they_came() -> None:
    best = set()
    for order in (("قسطی", "قسطا"), ("قسطا", "قسطی")):
        best.add(order[matcher(order, [1, 1]).best({0: 0.9, 1: 0.9}) or 0])
    assert len(best) == 1


def test_of_about_equally_good_words_the_most_frequent_is_best() -> None:
    made = matcher(("قسطی", "قسطا"), [1, 5])
    assert made.best({0: 0.9, 1: 0.89}) == 1
    assert made.best({0: 0.9, 1: 0.8}) == 0
    assert made.best({}) is None


def test_a_word_of_texts_that_are_gone_is_no_match() -> None:
    made = matcher(("قسطی", "قسطا"), [1, 0])
    assert (made.place("قسطی"), made.place("قسطا"), made.count("قسطا")) == (0, None, 0)
    assert [set(matches) for matches in found(made, ["قسطا"])] == [{0}]
