from __future__ import annotations

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian import PersianAnalyzer
from rag_app.persian import finglish as module
from rag_app.persian.finglish import FinglishIndex, consonants, most_alike, sound_similarities, sounds
from rag_app.persian.packed import PackedWords
from tests.conftest import INSTITUTE

SPELLINGS = {
    "قسطی": "ghesti qesti ghsti",
    "چطوری": "chetori chetory chetoori",
    "میخوام": "mikham mixam mikhaam mikhām",
    "قیمت": "gheymat qeymat gheimat qimat",
    "ثبتنام": "sabtenam sabtnam",
    "خونه": "khune khoone khoneh xune",
    "ایران": "iran Iran",
    "تهرون": "tehroon tehrun",
    "خواهر": "khahar xahar",
    "شهریه": "shahriye shahrieh shahriyeh",
    "کلاس": "kelas class klas",
    "تخفیف": "takhfif taxfif",
    "گواهی": "govahi gavahi",
    "اموزش": "amoozesh amuzesh",
    "فروش": "foroosh forush",
}


@cache
def corpus() -> list[str]:
    """The words of the table among the 200 most frequent ones of the sample."""
    texts = [file.read_text("utf-8") for file in sorted((INSTITUTE / "documents").rglob("*.md"))]
    counts = Counter(word for text in texts for word in PersianAnalyzer().words(text) if len(word) > 2)
    return [*dict.fromkeys([*SPELLINGS, *(word for word, _ in counts.most_common(200))])]


def found(words: list[str], typed: str, threshold: float) -> dict[str, float]:
    packed = PackedWords.of(words)
    owners, places, _ = FinglishIndex(packed).candidates(consonants([typed]))
    similarities = sound_similarities([typed], owners, packed.take(places)).tolist()
    return {
        words[place]: similarity
        for place, similarity in zip(places.tolist(), similarities, strict=True)
        if similarity >= threshold
    }


@pytest.mark.parametrize(("word", "typed"), [(word, one) for word, many in SPELLINGS.items() for one in many.split()])
def test_a_word_is_found_among_others_however_it_is_spelt(word: str, typed: str) -> None:
    alike = found(corpus(), typed, 0.6)
    assert max(alike, key=lambda other: alike[other]) == word


@pytest.mark.parametrize(
    ("typed", "symbols"),
    [
        ("ghesti", "Qesti"),
        ("qesti", "Qesti"),
        ("mikham", "miXam"),
        ("mixam", "miXam"),
        ("shahriyeh", "Sahriye"),
        ("SCHOOL", "SUl"),
        ("tezzaab", "tezAb"),
    ],
)
def test_the_latin_spellings_of_a_sound_are_one_symbol(typed: str, symbols: str) -> None:
    assert sounds(typed) == symbols


def test_words_of_other_letters_and_no_words_are_not_found() -> None:
    assert found(["iran", "1402", "", "12/5", "ایران2"], "iran", 0.01) == {}
    assert found(["قسط"], "xyzzyx", 0.6) == {}


def test_only_what_is_similar_enough_is_found() -> None:
    alike = found(corpus(), "ghesti", 0.0)
    assert found(corpus(), "ghesti", 0.7) == {word: value for word, value in alike.items() if value >= 0.7}
    assert len(alike) > len(found(corpus(), "ghesti", 0.7)) > 0


def test_words_that_are_compared_at_once_are_as_alike_as_each_by_itself() -> None:
    words = PackedWords.of(corpus())
    typed = ["shahrie", "q", "mikhamkharidkonam", "ghesti", ""]
    owners = np.tile(np.arange(len(typed)), 20)
    places = np.random.default_rng(0).integers(len(words), size=len(owners))
    alone = [
        sound_similarities([typed[owner]], np.zeros(1, np.intp), words.take(np.array([place])))[0]
        for owner, place in zip(owners, places, strict=True)
    ]
    assert sound_similarities(typed, owners, words.take(places)).tolist() == pytest.approx(alone)


def test_of_many_candidates_the_frequent_ones_are_looked_at() -> None:
    words = [f"قسط{letter}{other}" for letter in "ابپتجچحخدرزس" for other in "شصضطظفقکگلمن"]
    alike = FinglishIndex(PackedWords.of(words)).candidates(consonants(["ghest"])).similarities
    counts = np.ones(len(alike), dtype=np.int64)
    counts[100] = 10**6
    order = np.arange(len(counts), dtype=np.uint64)[::-1]
    chosen = most_alike(alike, counts, order)
    assert 100 in chosen
    assert len(chosen) == 80 < len(counts)
    shuffled = np.random.default_rng(0).permutation(len(counts))
    again = most_alike(alike[shuffled], counts[shuffled], order[shuffled])
    assert set(shuffled[again]) == set(chosen)


def slow_similarity(typed: str, word: str) -> float:
    """The weighted edit distance by its recursion, as a reference."""
    word = re.sub("(?<=.)ه$", module._FINAL_HE, re.sub("^ا(?=[یو])", module._FIRST_ALEF, word))
    word = re.sub("(?<=خ)و(?=ا)", module._SILENT_VAV, word)
    symbols = sounds(typed)[: module._LONGEST]
    exact = {letter: ours for letters, ours, _, _ in module._LETTERS for letter in letters}
    near = {letter: theirs for letters, _, theirs, _ in module._LETTERS for letter in letters}
    left_out = {letter: cost for letters, _, _, cost in module._LETTERS for letter in letters}

    def extra(symbol: str) -> float:
        return module._EXTRA.get(symbol, 1.0)

    def written(letter: str, symbol: str) -> float:
        return 0.0 if symbol in exact[letter] else module._NEARLY if symbol in near[letter] else 1.0

    @cache
    def cost(at: int, to: int) -> float:
        """The least cost of writing the first `to` letters as the first `at` symbols."""
        ways = [0.0] if at == to == 0 else []
        if at:
            ways.append(cost(at - 1, to) + extra(symbols[at - 1]))
        if to:
            ways.append(cost(at, to - 1) + left_out[word[to - 1]])
        if at and to:
            ways.append(cost(at - 1, to - 1) + written(word[to - 1], symbols[at - 1]))
        return min(ways)

    most = sum(map(extra, symbols)) + sum(left_out[letter] for letter in word)
    return 1 - 2 * cost(len(symbols), len(word)) / most


PERSIAN = st.text(alphabet="ابتجخدرسشعغقکلمنوهی", min_size=1, max_size=9)


@given(st.lists(PERSIAN, min_size=1, max_size=12), st.text(alphabet="abceghikmnoqrstuvxz", min_size=1, max_size=9))
@settings(max_examples=300)
def test_the_similarity_is_that_of_the_weighted_edit_distance(words: list[str], typed: str) -> None:
    for word, similarity in found(words, typed, -9.0).items():
        assert similarity == pytest.approx(slow_similarity(typed, word))


@pytest.mark.parametrize(("typed", "word"), [("ghesti", "قسطی"), ("khane", "خانه"), ("iran", "ایران"), ("a" * 20, "ا")])
def test_the_reference_finds_the_same_for_spellings_that_people_use(typed: str, word: str) -> None:
    assert found([word, "کتاب"], typed, -9.0).get(word, slow_similarity(typed, word)) == pytest.approx(
        slow_similarity(typed, word)
    )
