import pytest

from rag_app.tokens.pieces import SPACE, Pieces, shipped

FIRST = [("a", "b"), ("c", "d"), ("ab", "cd"), (SPACE, "ab")]
SECOND = [("b", "c")]


@pytest.mark.parametrize(
    ("word", "tokens"),
    [
        ("ab", 1),
        ("abcd", 1),  # joined step by step
        ("abc", 2),
        ("bcd", 2),  # "c" joins "d" first
        ("ba", 2),
        (f"{SPACE}ab", 1),
        (f"{SPACE}abcd", 2),  # "ab" has joined "cd" before the space comes
        ("یab", 2),
        ("ژab", 3),  # two bytes
    ],
)
def test_letters_cost_what_the_merges_leave(word: str, tokens: int) -> None:
    assert Pieces("ی", (), [FIRST]).letters(word) == tokens


def test_letters_cost_what_the_worst_vocabulary_makes_of_them() -> None:
    assert Pieces("", (), [FIRST, SECOND]).letters("abcd") == 3


def test_what_is_shipped_holds_persian_english_and_the_half_space() -> None:
    pieces = shipped()
    assert "delivery" in pieces.words
    assert pieces.letters(f"{SPACE}کتاب") == pieces.letters(f"{SPACE}the") == pieces.character("\u200c") == 1
    assert pieces.letters(f"{SPACE}می\u200c") == 1
