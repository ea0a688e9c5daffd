import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.schema import TokenCounter
from rag_app.tokens import EstimatedTokenCounter

COUNTER: TokenCounter = EstimatedTokenCounter()
ANY_TEXT = st.text(alphabet=st.characters()) | st.text(alphabet="ابپگچ\u200cabZ019۱۲ \t\n.،؟😀é", max_size=60)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("از", 1),
        ("سلام", 2),  # 4 letters: 4 / 2.5
        ("آموزشگاه", 4),  # 8 letters: 8 / 2.5
        ("the", 1),
        ("hello", 2),  # 5 letters: 5 / 3
        ("۱۴۰۲", 4),
        ("2024", 4),
        ("١٢", 2),
        ("می‌خواهم", 4),  # 1 + the half-space + 2
        ("سلام دنیا", 4),  # the space belongs to the word after it
        ("سلام   دنیا", 5),
        ("\n", 1),
        ("\n\n\n", 1),
        ("a.b", 3),
        ("؟", 2),  # two bytes
        ("é", 2),
        ("你", 3),
        ("😀", 4),
        ("\ud800", 3),
        ("شهریه: ۵۰ تومان؟", 9),  # 2 + 1 + 2 + 2 + 2; single spaces are free
    ],
)
def test_a_text_costs_what_its_pieces_cost(text: str, tokens: int) -> None:
    assert COUNTER.count(text) == tokens


def test_the_estimate_is_named_in_results() -> None:
    assert COUNTER.name == "estimate"


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_joining_at_a_line_break_costs_no_more_than_the_parts(first: str, second: str) -> None:
    assert COUNTER.count(f"{first}\n{second}") <= COUNTER.count(f"{first}\n") + COUNTER.count(second)


SENTENCE = st.lists(st.text(alphabet="ابپچگ\u200cabZ۱۲", min_size=1, max_size=8), min_size=1, max_size=8).map(
    lambda words: f"{' '.join(words)}. "
)


@given(SENTENCE, SENTENCE)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_sentences_cost_the_same_together_and_alone(first: str, second: str) -> None:
    assert COUNTER.count(first + second) == COUNTER.count(first) + COUNTER.count(second)


@given(st.lists(st.text(alphabet="ابپتجچکگلمی", min_size=1, max_size=12), max_size=30))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_persian_word_costs_at_least_one_token_and_about_one_for_each_two_and_a_half_letters(
    words: list[str],
) -> None:
    tokens = COUNTER.count(" ".join(words))
    assert tokens >= len(words)
    assert tokens >= sum(len(word) for word in words) / 2.5


@given(ANY_TEXT)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_text_costs_no_more_than_its_bytes(text: str) -> None:
    assert COUNTER.count(text) <= len(text.encode("utf-8", "surrogatepass"))


@given(ANY_TEXT)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_visible_piece_costs_something(text: str) -> None:
    assert COUNTER.count(text) >= len(re.findall(r"\S+", text))
