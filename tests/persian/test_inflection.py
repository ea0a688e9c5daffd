from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian.inflection import light_verbs, possible_stems, stem, verb_forms


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ("کتابها", "کتاب"),
        ("کتابهای", "کتاب"),
        ("کتابهاشون", "کتاب"),
        ("هزینهش", "هزینه"),
        ("شهریهتون", "شهریه"),
        ("کلاسهامون", "کلاس"),
        ("تهرون", "تهران"),
        ("تهرونی", "تهرانی"),
        ("ارزونتر", "ارزان"),
    ],
)
def test_the_forms_of_a_word_share_its_stem(form: str, word: str) -> None:
    assert stem(form) == stem(word)


@pytest.mark.parametrize("word", ["پول", "قسط", "ماه", "نام", "بها", "مدرک", "استرداد", "", "a", "1402"])
def test_a_word_without_an_ending_is_its_stem(word: str) -> None:
    assert stem(word) == word


@pytest.mark.parametrize("word", ["دارو", "خودرو", "سازمان", "داستان", "ارزش", "احترام", "شکلات", "انگشتر"])
@pytest.mark.parametrize("ending", ["", "ها", "هاشون"])
def test_what_only_looks_like_an_ending_stays(word: str, ending: str) -> None:
    assert stem(word + ending) == word


@pytest.mark.parametrize(("plural", "word"), [("مشکلات", "مشکل"), ("محصولات", "محصول"), ("انتخابات", "انتخاب")])
def test_a_plural_that_the_language_knows_is_a_form_of_its_singular(plural: str, word: str) -> None:
    assert stem(plural) == stem(word)


@pytest.mark.parametrize(
    "forms",
    [
        ("میشود", "میشه", "نمیشه", "شدند", "بشه", "شد"),
        ("میخواهم", "میخوام", "میخوان", "میخواین", "نمیخوام", "خواستم"),
        ("میتوانم", "میتونم", "نمیتونم", "میتونین", "تونستم", "میتوان"),
        ("میدهید", "میدید", "میدین", "نمیدن", "بده", "دادم"),
        ("میگویند", "میگن", "بگید", "گفتم"),
        ("میروم", "میرم", "نمیرم", "رفتم"),
        ("میفرستید", "میفرستین", "نمیفرسته", "بفرستید"),
        ("میاید", "میاد", "نمیاد", "بیام", "امدم", "اومدم", "نیومد"),
    ],
)
def test_written_and_spoken_forms_of_a_verb_share_its_infinitive(forms: tuple[str, ...]) -> None:
    assert {form: verb_forms().get(form) for form in forms} == dict.fromkeys(forms, verb_forms()[forms[0]])
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["بسته", "بازی", "خرید", "ارسال", "کلاس", "برگشت", "پرداخت", "اموزش"])
def test_a_noun_is_no_verb(word: str) -> None:
    assert word not in verb_forms()


LIKE_VERBS = (
    "میدان میهن میز میراث میگو میل میوه میخ میکروب میلیون میانه میان میزان میسر میله میمون میگرن میانجی میزم "
    "نمونه بدن بینی شدید مانند رود روم روند بدهی بیان دانه دهه گیره نرم نبرد نگین ببر بتون بستان بریدن استین ایین گود"
)


@pytest.mark.parametrize("word", LIKE_VERBS.split())
def test_a_noun_that_begins_as_a_verb_does_is_no_verb(word: str) -> None:
    assert word not in verb_forms()
    assert stem(word) == stem(f"{word}ها")


@pytest.mark.parametrize(
    ("form", "infinitive"),
    [
        ("میرود", "رفتن"),
        ("میکنم", "کردن"),
        ("نمیکنه", "کردن"),
        ("میدانم", "دانستن"),
        ("میدانی", "دانستن"),
        ("نمیدانم", "دانستن"),
        ("میدونه", "دانستن"),
        ("میخواهم", "خواستن"),
        ("میزنم", "زدن"),
        ("میزد", "زدن"),
        ("میگوید", "گفتن"),
        ("میگم", "گفتن"),
        ("میماند", "ماندن"),
        ("میمونه", "ماندن"),
        ("میایند", "امدن"),
        ("میاد", "امدن"),
        ("میشم", "شدن"),
        ("میتوان", "توانستن"),
        ("کند", "کردن"),
        ("کنه", "کردن"),
        ("شوم", "شدن"),
        ("دهم", "دادن"),
        ("بدی", "دادن"),
        ("برو", "رفتن"),
        ("بتونه", "توانستن"),
        ("نداری", "داشتن"),
        ("نشدن", "شدن"),
        ("گرفته", "گرفتن"),
        ("دید", "دیدن"),
    ],
)
def test_a_verb_that_begins_as_a_noun_does_is_a_verb(form: str, infinitive: str) -> None:
    assert stem(form) == infinitive


def test_light_verbs_are_infinitives_of_the_list() -> None:
    assert {"کردن", "شدن", "داشتن", "گرفتن"} <= light_verbs() <= set(verb_forms().values())
    assert "فرستادن" not in light_verbs()


@pytest.mark.parametrize(
    ("word", "stems"),
    [("کتابامو", ["کتابام", "کتاب"]), ("خونمون", ["خون"]), ("قسط", []), ("شهریه", ["شهری", "شهر"])],
)
def test_possible_stems_take_one_ending_after_the_other(word: str, stems: list[str]) -> None:
    assert list(possible_stems(word)) == stems


@given(st.text(alphabet="ابپتهیموشنرست", max_size=14))
@settings(max_examples=200)
def test_possible_stems_grow_shorter_and_keep_three_letters(word: str) -> None:
    stems = [word, *possible_stems(word)]
    assert all(len(one) > len(other) >= 3 for one, other in pairwise(stems))
    assert len(stem(word)) >= min(len(word), 3)
