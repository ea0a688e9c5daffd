import pytest

from rag_app.persian.language import CONNECTIVES, QUESTION_WORDS, detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("شهریه کلاس‌ها چقدر است؟", "fa"),
        ("شرايط كلاس چيست", "fa"),
        ("کلاس IELTS کی شروع می‌شود و شهریه آن چقدر است؟", "fa"),
        ("What are the opening hours?", "en"),
        ("IELTS", "en"),
        ("hazine kelas chande?", "finglish"),
        ("salam, baste key mirese", "finglish"),
        ("کلاس speaking دارید؟", "mixed"),
        ("", "unknown"),
        ("۱۲۳ 456 ؟! 😀", "unknown"),
        ("你好", "unknown"),
    ],
)
def test_the_language_is_told_by_script_and_small_words(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_small_words_are_folded_as_questions_are() -> None:
    assert {"چقدر", "ایا", "کی", "what"} <= QUESTION_WORDS
    assert {"و", "ولی", "and"} <= CONNECTIVES
