import pytest

from rag_app.persian import PersianAnalyzer
from rag_app.persian.frequencies import RAREST_IDF, counted_idf, hazm_data


@pytest.mark.parametrize("word", ["قرنطیفول", "xyzzy", "", "1402"])
def test_a_word_that_was_not_counted_tells_most(word: str) -> None:
    assert counted_idf(word) == RAREST_IDF


def test_a_rarer_word_tells_more() -> None:
    assert 0 < counted_idf("کشور") < counted_idf("کلاس") < counted_idf("شهریه") <= RAREST_IDF


def test_the_lists_are_folded_as_the_analyzer_folds() -> None:
    assert counted_idf(PersianAnalyzer().words("آموزش")[0]) < RAREST_IDF
    assert counted_idf(PersianAnalyzer().words("كشور")[0]) == counted_idf("کشور")
    assert not any("\u200c" in line for line in hazm_data("words.dat"))
