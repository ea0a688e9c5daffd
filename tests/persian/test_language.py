import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian.language import CONNECTIVES, QUESTION_WORDS, detect_language
from tests.persian.latin_questions import ENGLISH, FINGLISH


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("شهریه کلاس‌ها چقدر است؟", "fa"),
        ("شرايط كلاس چيست", "fa"),
        ("کلاس IELTS کی شروع می‌شود و شهریه آن چقدر است؟", "fa"),
        ("کلاس speaking دارید؟", "mixed"),
        ("", "unknown"),
        ("۱۲۳ 456 ؟! 😀", "unknown"),
        ("你好", "unknown"),
    ],
)
def test_the_language_is_told_by_script(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize("question", FINGLISH)
def test_persian_in_latin_letters_is_finglish_however_it_is_spelt(question: str) -> None:
    assert detect_language(question) == "finglish"


@pytest.mark.parametrize("question", ENGLISH)
def test_english_is_english(question: str) -> None:
    assert detect_language(question) == "en"


@pytest.mark.parametrize(
    "question",
    [
        "ielts online class darin?",
        "german a1 course chande",
        "online payment mishe?",
        "vip class certificate ham darad",
        "refund policy shoma chie",
    ],
)
def test_finglish_with_english_loan_words_is_finglish(question: str) -> None:
    assert detect_language(question) == "finglish"


@pytest.mark.parametrize(
    "question",
    [
        "salam, how much is the course?",
        "What does shahrie mean?",
        "Do you have takhfif for students?",
        "my teacher said darin is a verb",
        "Khayyam branch",
        "Mina Karimi class",
        "Baghdad",
    ],
)
def test_english_with_one_word_that_looks_persian_is_english(question: str) -> None:
    assert detect_language(question) == "en"


@pytest.mark.parametrize("spelling", ["chetor", "chetoor", "chetour", "CHETOR", "chetori", "chejoori", "chejuri"])
def test_spellings_of_one_sound_are_one(spelling: str) -> None:
    assert detect_language(f"{spelling} pay") == "finglish"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz سلام۱؟-", max_size=60))
@settings(max_examples=200)
def test_any_text_has_one_of_the_languages(text: str) -> None:
    assert detect_language(text) in ("fa", "en", "finglish", "mixed", "unknown")


@pytest.mark.parametrize("text", ["mi" + "a" * 100_000, "chetor " * 20_000, "be" + "am" * 50_000])
def test_a_long_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    started = time.thread_time()
    detect_language(text)
    assert time.thread_time() - started < 5


def test_small_words_are_folded_as_questions_are() -> None:
    assert {"چقدر", "ایا", "کی", "what", "چنده", "chetor"} <= QUESTION_WORDS
    assert {"و", "ولی", "and", "vali"} <= CONNECTIVES
