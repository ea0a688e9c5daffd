import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian.packed import PackedWords
from rag_app.persian.spelling import SpellingIndex

WORDS = st.text(alphabet="ابپتک1", max_size=7)


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
    found = SpellingIndex(PackedWords.of(words), *sizes).similar(asked, 0.3)
    assert len(found) == len(asked)
    for word, (places, similarities) in zip(asked, found, strict=True):
        expected = {place: dice(word, other, *sizes) for place, other in enumerate(words)}
        got = dict(zip(places.tolist(), similarities.tolist(), strict=True))
        assert got == pytest.approx({place: value for place, value in expected.items() if value >= 0.3})


@given(st.lists(st.text(max_size=6).map(lambda word: "".join(word.split())), max_size=6))
@settings(max_examples=50)
def test_a_list_of_many_letters_is_searched_too(words: list[str]) -> None:
    words = [word for word in words if all("\0" < letter < "\uffff" for letter in word)]
    letters = [chr(code) for code in range(0x4E00, 0x4E00 + 300)]
    found = SpellingIndex(PackedWords.of([*words, *letters]), 2, 4).similar([*words, *letters[::99]], 0.3)
    for word, (places, similarities) in zip([*words, *letters[::99]], found, strict=True):
        expected = {place: dice(word, other, 2, 4) for place, other in enumerate([*words, *letters])}
        got = dict(zip(places.tolist(), similarities.tolist(), strict=True))
        assert got == pytest.approx({place: value for place, value in expected.items() if value >= 0.3})


def test_letters_that_the_list_does_not_hold_are_like_nothing() -> None:
    ((places, _),) = SpellingIndex(PackedWords.of(["کتاب"]), 2, 4).similar(["qwer"], 0.01)
    assert len(places) == 0


def test_a_misspelt_word_is_nearest_to_the_right_one() -> None:
    words = ["استرداد", "استاد", "داستان", "امداد", "شهریه"]
    ((places, similarities),) = SpellingIndex(PackedWords.of(words), 2, 4).similar(["استراداد"], 0.3)
    assert words[places[np.argmax(similarities)]] == "استرداد"
    assert 4 not in places


@pytest.mark.parametrize("words", [[], [""], ["", ""]])
def test_nothing_is_like_nothing(words: list[str]) -> None:
    for places, similarities in SpellingIndex(PackedWords.of(words), 2, 4).similar(["قسط", ""], 0.01):
        assert len(places) == len(similarities) == 0
    assert SpellingIndex(PackedWords.of(["قسط"]), 2, 4).similar([], 0.3) == []
