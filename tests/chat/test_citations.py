import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.chat.citations import Citations, without_citations


def passed(pieces: list[str], chunks: int = 3) -> tuple[str, list[int]]:
    citations = Citations(chunks)
    text = "".join([*(citations.feed(piece) for piece in pieces), citations.end()])
    return text, citations.numbers


@pytest.mark.parametrize(
    ("text", "told", "numbers"),
    [
        ("رایگان است [1].", "رایگان است [1].", [1]),
        ("دو روز [۲] و رایگان [۱].", "دو روز [2] و رایگان [1].", [2, 1]),
        ("سه روز [1, 3]", "سه روز [1][3]", [1, 3]),
        ("سه روز [۱، ۹]", "سه روز [1]", [1]),
        ("نیست [4]. هست [1][1]", "نیست. هست [1][1]", [1]),
        ("[0] صفر", " صفر", []),
        ("آرایهٔ a[i] و [متن] و [12345]", "آرایهٔ a[i] و [متن] و [12345]", []),
        ("ناتمام [1", "ناتمام [1", []),
    ],
)
def test_citations_of_chunks_that_exist_stay_and_others_go(text: str, told: str, numbers: list[int]) -> None:
    assert passed([text]) == (told, numbers)
    assert passed(list(text)) == (told, numbers)


@given(st.text(alphabet="آب [],،12۳۹ \n."), st.lists(st.integers(0, 30), max_size=6))
def test_where_an_answer_is_cut_into_pieces_changes_nothing(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert passed(pieces) == passed([text])


def test_what_can_not_become_a_citation_is_passed_at_once() -> None:
    citations = Citations(2)
    assert citations.feed("ارسال ") == "ارسال"
    assert citations.feed("رایگان [") == " رایگان"
    assert citations.feed("1") == ""
    assert citations.feed("] است") == " [1] است"


def test_an_older_answer_loses_its_numbers() -> None:
    assert without_citations("رایگان است [1][۲].") == "رایگان است."


@pytest.mark.parametrize("around", [("a", "b"), ("[1", "x"), ("", "[9]"), ("", "")])
def test_a_long_run_of_spaces_takes_no_longer_than_other_text(around: tuple[str, str]) -> None:
    text = (" " * 100_000).join(around)
    started = time.process_time()
    assert without_citations(text) == text.removesuffix(" " * 100_000 + "[9]")
    passed([text])
    assert time.process_time() - started < 2  # 40 s where each space was tried
