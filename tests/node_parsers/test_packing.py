import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag_app.node_parsers.packing import fits, pack
from rag_app.persian import sentence_spans
from rag_app.persian.sentences import Span
from rag_app.tokens import EstimatedTokenCounter

COUNTER = EstimatedTokenCounter()
NUMBERS = ["۱٬۲۵۰٬۰۰۰", "3.5", "۱٫۲", "۱۴۰۲/۰۵/۰۱", "12:30", "1,250,000"]
ADDRESSES = ["info@shop.example.com", "https://shop.example.com/books?q=1&r=2.5"]
WORDS = ["سلام", "می\u200cخواهم", "آموزشگاه", "IELTS", "e.g.", *NUMBERS, *ADDRESSES, "😀", "a" * 90, "ه.ش."]
MARKS = [
    ". ",
    "؟ ",
    "! ",
    "؛ ",
    "، ",
    ": ",
    "\n",
    "\n\n",
    " ",
    "   ",
    " " * 45,
    "\n- ",
    "\n۱. ",
    "\n# ",
    "\n## ",
    "\n| ",
    " | ",
    "|",
    " |\n",
    "|\n|---|:--|\n|",
]
DOCUMENT = st.lists(st.sampled_from(WORDS + MARKS), max_size=80).map("".join)


def packed(text: str, max_tokens: int) -> list[str]:
    return [text[start:end] for start, end in pack(text, sentence_spans(text), max_tokens, COUNTER)]


def is_delimiter_row(line: str) -> bool:
    return re.fullmatch(r"\|[ \t:|-]*-[ \t:|-]*", line.strip()) is not None


def headed(text: str) -> list[Span]:
    """Join each run of headings and table headers to the sentence after it: what is not cut unless it is too long."""
    units: list[Span] = []
    waiting = False
    for start, end in sentence_spans(text):
        if waiting:
            units[-1] = (units[-1][0], end)
        else:
            units.append((start, end))
        following = text[end : text.find("\n", end)] if "\n" in text[end:] else text[end:]
        waiting = (
            re.match(r" {0,3}#{1,6}\s", text[start:end]) is not None
            or is_delimiter_row(text[start:end])
            or (
                text[start:].lstrip(" \t").startswith("|")
                and text[start:end].count("\n") == 1
                and is_delimiter_row(following)
            )
        )
    return units


@given(DOCUMENT | st.text(max_size=200), st.integers(1, 80))
@example(" " * 200 + "a", 20)  # white space counts more in one piece than in several
@settings(max_examples=300)
def test_the_pieces_joined_are_the_text_again(text: str, max_tokens: int) -> None:
    pieces = packed(text, max_tokens)
    assert "".join(pieces) == text
    assert all(pieces)


@given(DOCUMENT | st.text(max_size=200), st.integers(16, 80))
@example(" " * 200 + "a", 20)
@settings(max_examples=300)
def test_no_piece_is_larger_than_asked_for(text: str, max_tokens: int) -> None:
    assert all(COUNTER.count(piece) <= max_tokens for piece in packed(text, max_tokens))


@given(DOCUMENT, st.integers(16, 80))
@settings(max_examples=300)
def test_no_sentence_is_cut_unless_it_is_too_long_by_itself(text: str, max_tokens: int) -> None:
    edges = {end for _, end in pack(text, sentence_spans(text), max_tokens, COUNTER)}
    for start, end in headed(text):
        if COUNTER.count(text[start:end]) <= max_tokens:
            assert not any(start < edge < end for edge in edges), text[start:end]


@given(DOCUMENT, st.integers(16, 80))
@example("|" + "۱٬۲۵۰٬۰۰۰|" * 20, 16)  # a row without a space
@example("الف" * 30 + "۱٬۲۵۰٬۰۰۰" + "ب" * 30, 16)
@settings(max_examples=300)
def test_no_number_and_no_address_is_cut_unless_it_is_too_long_by_itself(text: str, max_tokens: int) -> None:
    edges = {end for _, end in pack(text, sentence_spans(text), max_tokens, COUNTER)}
    for found in re.finditer(r"[^\s|]*[@/][^\s|]*|\d+(?:[.,/:٬٫]\d+)*", text):
        if COUNTER.count(found.group()) <= max_tokens:
            assert not any(found.start() < edge < found.end() for edge in edges), found.group()


@given(DOCUMENT.filter(lambda text: "|" not in text), st.integers(16, 80))
@settings(max_examples=200)
def test_no_word_is_cut_unless_it_is_too_long_by_itself(text: str, max_tokens: int) -> None:
    edges = {end for _, end in pack(text, sentence_spans(text), max_tokens, COUNTER)}
    for word in re.finditer(r"\S+(?:\s+|$)", text):
        if COUNTER.count(word.group()) <= max_tokens:
            assert not any(word.start() < edge < word.start() + len(word.group().rstrip()) for edge in edges)


@given(
    st.lists(st.sampled_from(["کلاس شروع شد. ", "بله. ", "شهریه چقدر است؟ "]), min_size=2, max_size=40),
    st.integers(16, 60),
)
@settings(max_examples=60)
def test_neighbours_that_fit_together_are_joined(sentences: list[str], max_tokens: int) -> None:
    for before, after in itertools.pairwise(packed("".join(sentences), max_tokens)):
        first = after[: sentence_spans(after)[0][1]]
        assert COUNTER.count(before + first) > max_tokens


class RefusingCounter:
    name = "refuses"

    def count(self, text: str) -> int:
        raise AssertionError(f"{text!r} was counted")


def test_a_text_of_no_more_bytes_than_tokens_is_one_piece_and_not_counted() -> None:
    text = "سفارش‌ها سه روزه می‌رسد. ارسال رایگان است."
    short = len(text.encode())
    assert pack(text, sentence_spans(text), short, RefusingCounter()) == [(0, len(text))]
    assert fits(text, short, RefusingCounter())
    with pytest.raises(AssertionError, match="was counted"):
        fits(text, short - 1, RefusingCounter())


def test_a_heading_stays_with_what_follows() -> None:
    body = "این بند یک جمله دارد. " * 3
    text = f"{body}\n# شرایط\n## پرداخت\n{body}"
    pieces = packed(text, COUNTER.count(body) + 4)
    assert [piece for piece in pieces if "# شرایط" in piece] == [piece for piece in pieces if "## پرداخت" in piece]
    (piece,) = (piece for piece in pieces if "# شرایط" in piece)
    assert "## پرداخت\nاین بند" in piece


def test_a_heading_goes_with_what_follows_rather_than_with_what_comes_before() -> None:
    before, heading, after = "متن کوتاه.\n", "# عنوان بخش\n", "این بند یک جمله بلند دارد که جا می‌گیرد"
    assert packed(before + heading + after, COUNTER.count(heading + after)) == [before, heading + after]


@pytest.mark.parametrize(("before", "together"), [(1, True), (9, False)])
def test_a_heading_begins_a_new_piece_once_the_current_one_is_half_full(before: int, together: bool) -> None:
    text = "این بند یک جمله دارد. " * before + "\n# عنوان\nمتن کوتاه."
    assert (len(packed(text, 100)) == 1) is together


def test_a_heading_at_the_end_is_not_lost() -> None:
    assert "".join(packed("متن بند.\n\n# پایان", 16)) == "متن بند.\n\n# پایان"


@pytest.mark.parametrize("mark", [":", "؛"])
def test_a_sentence_that_is_too_long_is_cut_at_clauses_first(mark: str) -> None:
    clauses = [f"- ترم اول نقد، با تخفیف ویژه برای همه{mark} ", "ترم دوم قسطی، بی تخفیف ویژه برای همه"]
    text = "".join(clauses)
    assert packed(text, COUNTER.count(text)) == [text]
    assert packed(text, COUNTER.count(text) - 1) == clauses


def test_a_clause_that_is_too_long_is_cut_at_commas_then_at_words() -> None:
    text = "انگلیسی آلمانی فرانسه، اسپانیایی ایتالیایی روسی، چینی ژاپنی"
    assert packed(text, 15) == ["انگلیسی آلمانی فرانسه، ", "اسپانیایی ایتالیایی روسی، ", "چینی ژاپنی"]
    assert packed("انگلیسی آلمانی فرانسه اسپانیایی ایتالیایی روسی", 16) == [
        "انگلیسی آلمانی فرانسه اسپانیایی ",
        "ایتالیایی روسی",
    ]


def test_a_telephone_number_with_spaces_is_cut_only_where_no_other_space_is_left() -> None:
    before, number, after = "شماره تلفن آموزشگاه زبان ما ", "021 8877 6655", " برای هر پرسش دیگر است"
    for max_tokens in range(COUNTER.count(before), COUNTER.count(before + number)):
        assert before in packed(before + number + after, max_tokens)
    digits = "123 " * 30
    assert packed(digits, 16) == ["123 " * 4] * 7 + ["123 " * 2]


TABLE = "| روش | هزینه |\n|---|---:|\n| پست | ۶۵٬۰۰۰ تومان |\n| پیک | ۱۲۰٬۰۰۰ تومان |\n"


def test_the_header_of_a_table_stays_with_its_first_row() -> None:
    before, first_row_ends = "هزینه به روش ارسال بستگی دارد و در صفحه پرداخت است.\n\n", TABLE.index("| پیک")
    header = TABLE[: TABLE.index("| پست")]
    max_tokens = COUNTER.count(before + header) + 2
    assert packed(before + TABLE, max_tokens) == [before, TABLE[:first_row_ends], TABLE[first_row_ends:]]


def test_a_table_is_cut_between_rows_and_a_row_that_is_too_long_between_cells() -> None:
    rows = TABLE.splitlines(keepends=True)
    assert packed(TABLE, 20) == [rows[0] + rows[1], rows[2], rows[3]]
    row = "| پست پیشتاز، به سراسر ایران | ۶۵٬۰۰۰ تومان، تا یک کیلوگرم | دو روز |"
    assert packed(row, 18) == ["| پست پیشتاز، به سراسر ایران | ", "۶۵٬۰۰۰ تومان، تا یک کیلوگرم | ", "دو روز |"]


def test_a_list_item_that_is_too_long_is_cut_between_its_sentences() -> None:
    text = "- شهریه را نقد، با تخفیف بپردازید. ارسال کتاب، با پست؟ حتماً! دفتر هر روز باز است.\n- دوم"
    pieces = packed(text, 20)
    assert pieces[0] == "- شهریه را نقد، با تخفیف بپردازید. "
    assert "".join(pieces) == text


def test_a_word_longer_than_a_piece_is_cut_anywhere() -> None:
    assert "".join(packed("a" * 100, 16)) == "a" * 100
    assert all(COUNTER.count(piece) <= 16 for piece in packed("😀" * 100, 16))


def test_an_empty_text_has_no_pieces() -> None:
    assert packed("", 16) == []
