import importlib.util
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag_app.persian import sentence_spans
from rag_app.persian.sentences import CUTS

WORDS = ["سلام", "می‌خواهم", "ه.ش.", "IELTS", "e.g.", "۱٫۲", "3.5", "۱۲", "😀", "\u200f", "a@b.ir", "http://a.ir/b?c=1"]
MARKS = [".", "؟", "!", "…", "؛", "،", ":", "»", ")", "- ", "* ", "✅ ", "1. ", "۲) ", "الف) ", "# ", "## ", "| ", "|"]
SPACES = [" ", "  ", "\n", "\n\n", "\t", "\u2028"]
TEXT = st.lists(st.sampled_from(WORDS + MARKS + SPACES), max_size=60).map("".join)


def sentences(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentence_spans(text)]


@given(TEXT | st.text(max_size=200))
@example("")
@example(" \n ")
@settings(max_examples=400)
def test_the_spans_cover_every_character_once_and_in_order(text: str) -> None:
    spans = sentence_spans(text)
    assert all(start < end for start, end in spans)
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])][: len(spans)]
    assert (spans[-1][1] if spans else 0) == len(text)


@given(TEXT)
@settings(max_examples=200)
def test_a_sentence_begins_with_no_white_space_but_that_of_the_text_itself(text: str) -> None:
    assert not any(text[start].isspace() for start, _ in sentence_spans(text)[1:])


@pytest.mark.parametrize("mark", [".", "؟", "?", "!", "…", "...", "؟!", "؛", ".»", "؟)", '."', ".\u200f", ".\u200c"])
def test_a_sentence_ends_at_its_mark(mark: str) -> None:
    assert sentences(f"کلاس شروع شد{mark} بعد رفتیم") == [f"کلاس شروع شد{mark}", "بعد رفتیم"]


@pytest.mark.parametrize("mark", ["،", ",", ":", "-", "»"])
def test_other_marks_end_no_sentence(mark: str) -> None:
    assert sentences(f"کلاس شروع شد{mark} بعد رفتیم") == [f"کلاس شروع شد{mark} بعد رفتیم"]


@pytest.mark.parametrize(
    "text",
    [
        "سال ۱۴۰۲ ه.ش. بهتر بود",
        "ساعت ۹ ق.ظ. باز است",
        "ساعت ۹ (ق.ظ.) باز است",
        "exams, e.g. IELTS and TOEFL",
        "ask Dr. Rezaei about it",
        "talk to Mrs. Karimi today",
        "ask Prof. Rezaei about it",
        "با دکتر. رضایی و مهندس. کریمی هماهنگ کنید",
        "برای شرح نک. صفحه بعد و رک. پیوست و صص. ۱۲ تا ۱۴",
        "صندوق پستی (ص.ب.) ۱۲۳",
        "قرن سوم ق.م. و قرن دوم ه.ق. بود",
        "سال ۱۴۰۲ ه. ش. بهتر بود",
        "در ص. ۱۲ آمده است",
        "نمره ۱٫۲ یا 3.5 است",
        "نمره ۱.۲ است",
        "به example.com بروید",
        "از shop.example.com/search?q=کتاب.نو&a=1!b خرید کنید",
        "به سایت.ایران/تماس.ما بروید",
        "به info@example.co.ir نامه بدهید",
        "از ۱۴۰۲.۰۵.۰۱ تا 12:30 باز است",
        "شهریه ۱٬۲۵۰٬۰۰۰ تومان از ۱۴۰۲/۰۵/۰۱",
        "1. ثبت نام",
        "۲. پرداخت",
        "مراحل: 1. ثبت نام ۲. پرداخت",
    ],
)
def test_a_full_stop_of_an_abbreviation_number_or_list_marker_ends_no_sentence(text: str) -> None:
    assert sentences(text) == [text]


def hazm_abbreviations() -> list[str]:
    spec = importlib.util.find_spec("hazm")
    assert spec is not None
    assert spec.origin is not None
    lines = (Path(spec.origin).parent / "data" / "abbreviations.dat").read_text("utf-8").splitlines()
    return sorted({line.strip() for line in lines if line.strip().endswith(".")})


def test_no_abbreviation_that_hazm_knows_ends_a_sentence() -> None:
    abbreviations = hazm_abbreviations()
    assert len(abbreviations) > 90
    texts = [f"طبق {abbreviation} عمل می‌شود" for abbreviation in abbreviations]
    assert [text for text in texts if sentences(text) != [text]] == []


@pytest.mark.parametrize("mark", [".", "؟", "!", "…"])
def test_between_persian_words_no_space_is_needed_after_a_mark(mark: str) -> None:
    assert sentences(f"ارسال رایگان است{mark}پست دو روزه می‌رسد") == [f"ارسال رایگان است{mark}", "پست دو روزه می‌رسد"]


def test_a_sentence_may_end_with_a_long_number() -> None:
    assert sentences("دفتر در سال ۱۴۰۲. بعد بزرگ شد") == ["دفتر در سال ۱۴۰۲.", "بعد بزرگ شد"]


@pytest.mark.parametrize(
    "lines",
    [
        ["مدارک لازم", "- شناسنامه", "- کارت ملی", "* عکس", "• فرم"],
        ["1. ثبت نام", "2. پرداخت", "۳. حضور", "۴) پایان"],
        ["# شرایط", "متن بند", "## پرداخت", "متن دیگر"],
        ["✅ ارسال رایگان", "✔️ گارانتی", "● کد ۱۲", "- پایان"],
        ["الف) شرایط ثبت‌نام", "ب) مدارک", "(۱) شناسنامه", "(2) عکس"],
        ["| نوع | قیمت |", "|---|---|", "| گروهی | ۱٬۰۰۰ |"],
    ],
)
def test_list_items_headings_and_table_rows_stand_alone(lines: list[str]) -> None:
    assert sentences("\n".join(lines)) == lines


@pytest.mark.parametrize(
    "line",
    [
        "- ارسال رایگان است. برای تهران؟ بله! حتماً",
        "۲. پرداخت کنید. بعد بیایید",
        "## چرا ما؟ چون بهتریم",
        "| کی؟ | ۹ تا ۱۷. | بله |",
    ],
)
def test_a_list_item_heading_or_table_row_is_one_sentence_whatever_it_holds(line: str) -> None:
    text = f"اول.\n{line}\n- آخر"
    assert sentences(text) == ["اول.", line, "- آخر"]
    assert sentences(line) == [line]


def test_a_dash_within_a_line_begins_no_list_item() -> None:
    assert sentences("او گفت. - بیا. برویم") == ["او گفت.", "- بیا.", "برویم"]


def test_a_line_that_was_only_wrapped_is_no_sentence_end() -> None:
    assert sentences("این جمله در دو\nخط آمده است. جمله بعد") == ["این جمله در دو\nخط آمده است.", "جمله بعد"]


def test_an_empty_line_ends_a_sentence() -> None:
    assert sentences("بند اول\n\nبند دوم") == ["بند اول", "بند دوم"]


def test_a_line_that_ends_with_a_colon_ends_a_sentence() -> None:
    assert sentences("مدارک لازم:\nشناسنامه و عکس") == ["مدارک لازم:", "شناسنامه و عکس"]


@pytest.mark.parametrize("run", [".", "؟", "…", "\n", " ", "a.", "- ", "؛ "])
def test_a_long_run_of_marks_is_no_slower_than_its_length(run: str) -> None:
    text = run * 100_000  # a hundred seconds where each mark is tried anew
    assert sum(end - start for start, end in sentence_spans(text)) == len(text)


@pytest.mark.parametrize("text", [f"1{' ' * 100_000}1", f"|{'-' * 100_000}x", f"a{' ' * 100_000}|{'-' * 100_000}"])
def test_long_runs_are_cut_in_time(text: str) -> None:
    started = time.process_time()
    for cut in CUTS:
        assert not cut.sub("", text).strip(f"{text}")
    assert sentence_spans(text)[-1][1] == len(text)
    assert time.process_time() - started < 3  # 10 s and more where each character of a run was tried
