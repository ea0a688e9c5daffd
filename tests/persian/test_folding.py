import sys
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag_app.persian import fold
from rag_app.persian.folding import HALF_SPACE

ANY_TEXT = st.text(alphabet=st.characters())  # lone surrogates too


@given(ANY_TEXT)
@example("\U0001d16d\u034f\U0001d165")  # marks that NFKD sorts anew once what stood between them is gone
@example("\ud800")
@settings(max_examples=300)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_folding_any_single_character_twice_is_folding_it_once() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Co")]
    folded = [fold(char) for char in every]
    assert [char for char, once in zip(every, folded, strict=True) if fold(once) != once] == []


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("كتاب", "کتاب"),
        ("علي", "علی"),
        ("موسى", "موسی"),
        ("رئيس", "رییس"),
        ("مدرسة", "مدرسه"),
        ("خانۀ", "خانه"),
        ("خانهٔ", "خانه"),
        ("ہفتہ", "هفته"),
        ("أحمد إسلام آب ٱلله", "احمد اسلام اب الله"),
        ("مؤسسه", "موسسه"),
    ],
)
def test_letters_that_keyboards_interchange_become_the_persian_one(typed: str, folded: str) -> None:
    assert fold(typed) == folded


def test_letters_that_persian_tells_apart_stay_apart() -> None:
    assert len({fold(letter) for letter in "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"}) == 32


@pytest.mark.parametrize("digits", ["0123456789", "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９"])
def test_the_digits_of_all_systems_become_ascii(digits: str) -> None:
    assert fold(digits) == "0123456789"


def test_persian_number_marks_become_ascii() -> None:
    assert fold("۱٬۲۵۰٫۵") == "1,250.5"


@pytest.mark.parametrize("code", range(0x064B, 0x0653))
def test_a_diacritic_goes(code: int) -> None:
    assert fold(f"کت{chr(code)}اب") == "کتاب"


def test_tatweel_goes() -> None:
    assert fold("خـــانـه") == "خانه"


@pytest.mark.parametrize("char", ["\u200b", "\u200c", "\u200d", "\u00ad", "\ufeff", "¬"])
def test_whatever_editors_leave_for_a_half_space_becomes_one(char: str) -> None:
    assert fold(f"کتاب{char}ها") == f"کتاب{HALF_SPACE}ها"


@pytest.mark.parametrize("char", ["\u200e", "\u200f", "\u202b", "\u202c", "\u2067", "\u2069", "\u2060"])
def test_invisible_direction_marks_go(char: str) -> None:
    assert fold(f"{char}سلام{char}") == "سلام"


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("IELTS", "ielts"),
        ("Café", "cafe"),
        ("Cafe\u0301", "cafe"),
        ("Straße", "strasse"),
        ("ＡＢＣ", "abc"),
        ("ﬁn", "fin"),
    ],
)
def test_latin_case_accents_and_ligatures_are_unified(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@pytest.mark.parametrize(
    ("shape", "letters"), [("ﻼ", "لا"), ("ﻛﺘﺎﺏ", "کتاب"), ("ﯽ", "ی"), ("ﮐ", "ک"), ("﷼", "ریال"), ("ﷲ", "الله")]
)
def test_presentation_forms_become_letters(shape: str, letters: str) -> None:
    assert fold(shape) == letters


def test_what_needs_no_folding_stays() -> None:
    assert fold("ثبت نام، ساعت 9:30 (a_b)؟") == "ثبت نام، ساعت 9:30 (a_b)؟"


@pytest.mark.parametrize("marks", ["\u0301" * 50_000 + "\u0323" * 50_000, "\u0f73" * 100_000])
def test_a_hundred_thousand_marks_in_a_row_are_folded_in_time(marks: str) -> None:
    started = time.process_time()
    assert fold(f"a{marks}b") == "ab"
    assert time.process_time() - started < 5  # 15 s and more where all were sorted


@given(st.text(alphabet="aéی\u0301\u0323\u0345\u0f73\u0654ᾳ\u1100\u1161ßﷺ", min_size=250, max_size=600))
@settings(max_examples=50)
def test_a_long_text_is_folded_as_its_parts_are(text: str) -> None:
    assert fold(text) == "".join(map(fold, text))
