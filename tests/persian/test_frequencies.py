import pytest

from rag_app.persian import PersianAnalyzer, idf
from rag_app.persian.frequencies import RAREST_IDF, STOP_WORD_IDF


@pytest.mark.parametrize("word", ["و", "از", "که", "می", "های", "است"])
def test_a_stop_word_tells_least(word: str) -> None:
    assert idf(word) == STOP_WORD_IDF


@pytest.mark.parametrize("word", ["قرنطیفول", "xyzzy", "", "1402"])
def test_an_unknown_word_tells_most(word: str) -> None:
    assert idf(word) == RAREST_IDF


def test_a_rarer_word_tells_more() -> None:
    assert STOP_WORD_IDF < idf("کشور") < idf("کلاس") < idf("شهریه") <= RAREST_IDF


def test_a_word_is_known_as_the_analyzer_writes_it() -> None:
    (word,) = PersianAnalyzer().words("خانه‌های")
    assert word == "خانههای"
    assert idf(PersianAnalyzer().words("آموزش")[0]) < RAREST_IDF
    assert idf(PersianAnalyzer().words("كشور")[0]) == idf("کشور")
