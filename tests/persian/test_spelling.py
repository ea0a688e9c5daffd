import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian.packed import PackedWords
from rag_app.persian.spelling import Ngrams, SpellingIndex

WORDS = st.text(alphabet="ابپتک1", max_size=7)


def similar(
    words: list[str], asked: list[str], threshold: float, smallest: int = 2, largest: int = 4
) -> list[dict[int, float]]:
    """Return for each word asked for the places of those like it, with the similarities."""
    index = SpellingIndex(PackedWords.of(words), smallest, largest)
    found = index.similar_to_each(Ngrams(asked, range(smallest, largest + 1)), threshold)
    by_word: list[dict[int, float]] = [{} for _ in asked]
    for owner, place, similarity in zip(*map(np.ndarray.tolist, found), strict=True):
        by_word[owner][place] = similarity
    return by_word


def grams(word: str, smallest: int, largest: int) -> set[str]:
    marked = f" {word} "
    return {
        marked[start : start + size] for size in range(smallest, largest + 1) for start in range(len(marked) - size + 1)
    } or {marked}


def dice(one: str, other: str, smallest: int, largest: int) -> float:
    """The coefficient by its definition, as a slow reference."""
    if not one or not other:
        return 0.0
    ours, theirs = grams(one, smallest, largest), grams(other, smallest, largest)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


@given(st.lists(WORDS, max_size=12), st.lists(WORDS, max_size=4), st.sampled_from([(2, 3), (2, 4)]))
@settings(max_examples=150)
def test_the_similarity_is_the_dice_coefficient_of_the_ngrams(
    words: list[str], asked: list[str], sizes: tuple[int, int]
) -> None:
    for word, got in zip(asked, similar(words, asked, 0.3, *sizes), strict=True):
        expected = {place: dice(word, other, *sizes) for place, other in enumerate(words)}
        assert got == pytest.approx({place: value for place, value in expected.items() if value >= 0.3})


@given(st.lists(st.text(max_size=6).map(lambda word: "".join(word.split())), max_size=6))
@settings(max_examples=50)
def test_a_list_of_many_letters_is_searched_too(words: list[str]) -> None:
    words = [word for word in words if all("\0" < letter < "\uffff" for letter in word)]
    letters = [chr(code) for code in range(0x4E00, 0x4E00 + 300)]
    asked = [*words, *letters[::99]]
    for word, got in zip(asked, similar([*words, *letters], asked, 0.3), strict=True):
        expected = {place: dice(word, other, 2, 4) for place, other in enumerate([*words, *letters])}
        assert got == pytest.approx({place: value for place, value in expected.items() if value >= 0.3})


def test_letters_that_the_list_does_not_hold_are_like_nothing() -> None:
    assert similar(["کتاب"], ["qwer"], 0.01) == [{}]


def test_a_misspelt_word_is_nearest_to_the_right_one() -> None:
    words = ["استرداد", "استاد", "داستان", "امداد", "شهریه"]
    (found,) = similar(words, ["استراداد"], 0.3)
    assert words[max(found, key=lambda place: found[place])] == "استرداد"
    assert 4 not in found


@pytest.mark.parametrize("words", [[], [""], ["", ""]])
def test_nothing_is_like_nothing(words: list[str]) -> None:
    assert similar(words, ["قسط", ""], 0.01) == [{}, {}]
    assert similar(["قسط"], [], 0.3) == []
