import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag_app.persian import PersianAnalyzer, fold
from rag_app.persian.folding import HALF_SPACE

ANALYZER = PersianAnalyzer()

SPELLINGS = {
    "کتاب‌هایی": [
        "كتاب‌هایی",
        "کتاب‌هايي",
        "کتاب\u200bهایی",
        "کتاب\u200dهایی",
        "کتاب\u00adهایی",
        "کتاب¬هایی",
        "کِتاب‌هایی",
        "کتـــاب‌هایی",
        "\u202bکتاب‌هایی\u202c",
        "کتاب‌‌هایی",
    ],
    "مسئول": ["مسیول", "مسي\u0654ول", "مسئولْ"],
    "خانه": ["خانة", "خانۀ", "خانهٔ", "خانہ", "ﺧﺎﻧﻪ"],
    "آب": ["اب", "ا\u0653ب", "أب", "إب", "ٱب"],
    "۱۴۰۲": ["1402", "١٤٠٢", "１４０２"],
    "café": ["CAFÉ", "cafe\u0301", "Cafe", "ｃａｆé"],
}


@pytest.mark.parametrize(
    ("word", "spelling"), [(word, other) for word, others in SPELLINGS.items() for other in others]
)
def test_every_way_of_typing_a_word_gives_the_same_tokens(word: str, spelling: str) -> None:
    assert ANALYZER.tokens(f"شرایط {spelling} چیست؟") == ANALYZER.tokens(f"شرایط {word} چیست؟")
    assert ANALYZER.words(spelling) == ANALYZER.words(word)


def test_a_half_spaced_word_is_indexed_joined_and_split() -> None:
    assert ANALYZER.tokens("می‌خواهم") == ["میخواهم", "می", "خواهم"]


def test_the_forms_of_each_word_are_the_word_and_its_parts() -> None:
    assert ANALYZER.forms("من می‌خواهم ۱٬۲۵۰") == [("من",), ("میخواهم", "می", "خواهم"), ("1250",)]


def test_a_question_without_the_half_space_meets_the_half_spaced_word_both_ways() -> None:
    indexed = set(ANALYZER.tokens("کتاب‌های زبان"))
    assert set(ANALYZER.tokens("کتابهای زبان")) <= indexed
    assert set(ANALYZER.tokens("کتاب های زبان")) <= indexed


def test_words_joins_a_half_spaced_word_and_keeps_the_order() -> None:
    assert ANALYZER.words("من می‌خواهم ثبت‌نام کنم") == ["من", "میخواهم", "ثبتنام", "کنم"]


def test_a_half_space_at_the_edge_of_a_word_is_no_part_of_it() -> None:
    assert ANALYZER.tokens("\u200cکتاب\u200c \u200c") == ["کتاب"]


@pytest.mark.parametrize("number", ["۱٬۲۵۰٬۰۰۰", "1,250,000", "۱,۲۵۰,۰۰۰", "١٬٢٥٠٬٠٠٠", "1250000", "۱۲۵۰۰۰۰"])
def test_a_number_is_one_token_with_or_without_thousands_separators(number: str) -> None:
    assert ANALYZER.tokens(f"{number} تومان") == ["1250000", "تومان"]
    assert ANALYZER.words(number) == ["1250000"]


@pytest.mark.parametrize(
    ("number", "token"),
    [("۴٫۵", "4.5"), ("4.5", "4.5"), ("1,25", "1,25"), ("۱٬۲۵۰٫۵", "1250.5"), ("12,34,567", "12,34,567")],
)
def test_decimals_and_other_commas_stay(number: str, token: str) -> None:
    assert ANALYZER.tokens(number) == [token]


def test_a_date_is_one_token() -> None:
    assert ANALYZER.tokens("۱۴۰۲/۰۵/۰۱") == ["1402/05/01"]


def test_punctuation_emoji_and_direction_marks_are_no_words() -> None:
    assert ANALYZER.tokens("\u200fسلام!!! 😀🇮🇷 «خوبی؟» ... a_b") == ["سلام", "خوبی", "a", "b"]
    assert ANALYZER.tokens("😀 … ؟ \u200f \u200c") == []


def test_letters_and_digits_that_touch_are_separate_words() -> None:
    assert ANALYZER.tokens("B2 سطح۳") == ["b", "2", "سطح", "3"]


@given(st.text(alphabet=st.characters()))
@example("\ud800\udfff")
@example("می‌خواهم ۱٬۲۵۰ e\u0301")
@settings(max_examples=300)
def test_any_text_gives_folded_tokens_without_separators(text: str) -> None:
    tokens = ANALYZER.tokens(text)
    assert all(token and token == fold(token) and HALF_SPACE not in token for token in tokens)
    assert all(not any(char.isspace() for char in token) for token in tokens)
    assert set(ANALYZER.words(text)) <= set(tokens)


@given(st.text(alphabet="ابپ کی‌۱۲٬.،؟abC \n", max_size=40), st.text(alphabet="ابپ کی‌۱۲٬.،؟abC \n", max_size=40))
@settings(max_examples=100)
def test_a_line_gives_the_same_tokens_alone_and_in_a_text(first: str, second: str) -> None:
    assert ANALYZER.tokens(f"{first}\n{second}") == ANALYZER.tokens(first) + ANALYZER.tokens(second)


def test_no_word_is_longer_than_64_characters() -> None:
    for char in "اx7":
        assert [len(token) for token in ANALYZER.tokens(char * 1_000_000)] == [64] * 15_625


def test_the_fingerprint_is_what_stored_indexes_hold() -> None:
    # It must change with the tokens and with nothing else: change it here on purpose, and users must ingest anew.
    assert ANALYZER.fingerprint == "persian-e6175bc52fa7"
    assert PersianAnalyzer().fingerprint == ANALYZER.fingerprint
