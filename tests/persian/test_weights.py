import pytest

from rag_app.persian import fold, idf
from rag_app.persian.frequencies import RAREST_IDF
from rag_app.persian.weights import SMALL_WORD_IDF, STOP_WORD_IDF, is_known


@pytest.mark.parametrize("word", ["و", "از", "که", "می", "های", "است", "the", "and"])
def test_a_stop_word_tells_least(word: str) -> None:
    assert idf(word) == STOP_WORD_IDF


@pytest.mark.parametrize("word", ["چقدر", "چقده", "چجوریه", "واسه", "میخوام", "میشه", "میکنین", "بگیرم", "want"])
def test_a_word_that_questions_are_made_of_tells_little_as_it_is_spoken_too(word: str) -> None:
    assert STOP_WORD_IDF <= idf(word) <= SMALL_WORD_IDF


@pytest.mark.parametrize("word", ["شهریه", "بورسیه", "اقساط", "قرنطیفول", "xyzzy", "1402", ""])
def test_a_word_that_says_what_is_asked_tells_more_than_a_small_one(word: str) -> None:
    assert STOP_WORD_IDF < SMALL_WORD_IDF < idf(word) <= RAREST_IDF


@pytest.mark.parametrize("word", ["دوم", "سوم", "اولین", "سه", "شش"])
def test_a_number_in_words_tells_more_than_a_small_word(word: str) -> None:
    assert idf(word) > SMALL_WORD_IDF


def test_a_rarer_word_tells_more() -> None:
    assert SMALL_WORD_IDF < idf("کشور") < idf("کلاس") < idf("شهریه") < idf("قرنطیفول") == RAREST_IDF


@pytest.mark.parametrize("word", ["کلاس", "است", "میخوام", "میفرستین", fold("آموزش"), "the"])
def test_stop_words_verbs_and_counted_words_are_known(word: str) -> None:
    assert is_known(word)


@pytest.mark.parametrize("word", ["شهریهه", "اسنرداد", "ghesti", ""])
def test_slips_and_latin_spellings_are_not(word: str) -> None:
    assert not is_known(word)
