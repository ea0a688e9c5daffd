"""Persian letters are written here as capitals, as in UAX #9; what is seen is given from left to right."""

import time

import pytest

from rag_app.conversion.bidi import logical_order

_LETTERS = dict(zip("ABCDEFG", "ابتثجحخ", strict=True))


def read(seen: str, *, right_to_left: bool = True) -> str:
    back = {letter: capital for capital, letter in _LETTERS.items()}
    order = logical_order([_LETTERS.get(char, char) for char in seen], right_to_left=right_to_left)
    return "".join(back.get(char, char) for char, _ in order)


@pytest.mark.parametrize(
    ("seen", "written"),
    [
        ("CBA", "ABC"),
        ("FED CBA", "ABC DEF"),
        (".FED iPhone 15 Pro CBA", "ABC iPhone 15 Pro DEF."),
        ("DE 48 CBA", "ABC 48 ED"),
        ("D ۱٬۲۵۰٬۰۰۰ A", "A ۱٬۲۵۰٬۰۰۰ D"),
        ("D ۱۴۰۳/۰۲/۰۵ A", "A ۱۴۰۳/۰۲/۰۵ D"),
        ("D ۸۸۷۷-۰۲۱ A", "A ۰۲۱-۸۸۷۷ D"),
        ("D https://a.ir/b?c=1 A", "A https://a.ir/b?c=1 D"),
        ("D ++c99 A", "A c99++ D"),
        ("123", "123"),
        ("", ""),
    ],
)
def test_a_line_from_right_to_left(seen: str, written: str) -> None:
    assert read(seen) == written


@pytest.mark.parametrize(
    ("seen", "written"),
    [("see CBA now", "see ABC now"), ("see F 12 CBA, ok", "see ABC 12 F, ok"), ("abc 12", "abc 12"), ("", "")],
)
def test_a_line_from_left_to_right(seen: str, written: str) -> None:
    assert read(seen, right_to_left=False) == written


def test_a_long_line_is_put_in_order_in_time() -> None:
    started = time.process_time()
    assert read("1A" * 50_000) == "A1" * 50_000
    assert time.process_time() - started < 5
