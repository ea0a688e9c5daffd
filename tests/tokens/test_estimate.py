import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.schema import TokenCounter
from rag_app.tokens import EstimatedTokenCounter

COUNTER: TokenCounter = EstimatedTokenCounter()
_LETTERS = dict(zip(map(ord, "0123456789abcdef"), "ابپتثجچحخدرزسشصض", strict=True))
ANY_TEXT = st.text(alphabet=st.characters()) | st.text(alphabet="ابپگچ\u200cabZ019۱۲ \t\n.،؟😀é", max_size=60)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("از", 1),
        ("از کتاب", 2),
        ("a Delivery", 2),
        ("۱۴۰۲", 4),
        ("2024", 4),
        ("١٢", 2),
        ("\n", 1),
        ("\n\n\n", 1),
        ("a.b", 3),
        ("؟", 1),
        ("é", 1),
        ("😀", 1),
        ("你", 3),  # three bytes
        ("𝟒", 4),
        ("\ud800", 3),
        ("\u00a0", 2),
        ("در 12", 4),  # no digit joins with a space
        (". ", 2),
        ("در   از", 3),  # nor does a word with several
        ("از: ۵۰ تومان؟", 7),
    ],
)
def test_a_text_costs_what_its_pieces_cost(text: str, tokens: int) -> None:
    assert COUNTER.count(text) == tokens


# The most tokens that the published Gemma 3 and Gemini vocabularies make of each.
MEASURED = [
    ("هزینه ارسال کتاب چقدره؟", 9),
    ("شهریهٔ دورهٔ آلمانی ۱٬۲۵۰٬۰۰۰ تومان است و در دو قسط پرداخت می\u200cشود.", 27),
    ("نیم\u200cفاصله\u200cها و می\u200cخواهیم\u200cشان را هم می\u200cشمارد.", 17),
    ("شهريه كلاس آلماني آنلاين چقدر است؟", 14),
    ("Orders placed before 8 pm are packed the next working day.", 13),
    ("Refunds are paid back to the card within five working days; call +44 (0)20 7946 0958.", 33),
    ("Course B1 آنلاین است و certificate هم می\u200cدهیم.", 11),
    ("salam, shahriye kelas almani chand toman ast?", 13),
    ("hazineh ersaal ketab cheghadreh", 11),
    ("zobaan bluchy chisst?", 8),
    ("😀👍🏽🙏❤️", 5),
    ("👨\u200d👩\u200d👧\u200d👦 🇮🇷", 10),
    ("https://www.ppkrlr.co.uk/wsjsz/ic/bc-upwyyu?id=227708474&q=%D8%B3%D9%84", 51),
    ("info@avanema.example", 6),
    ("۰۹۱۲ ۳۴۵ ۶۷ ۸۹", 10),
    ("(021) 8844-1122", 15),
    ("12,500,000", 10),
    ("def count(self, text: str) -> int:\n    return len(text)\n", 20),
    ("xqzt vgt fYz", 7),
    ("نثقض عع", 6),
    ("  دنیا   کتاب", 6),
    (". ", 2),
    ("\n \n\n قیمت", 4),
    ("\xa0\u3000𝟒𔐮", 13),
    ("\r\n\t", 3),
]


@pytest.mark.parametrize(("text", "tokens"), MEASURED)
def test_the_estimate_is_never_below_gemini_and_at_most_twice_as_high(text: str, tokens: int) -> None:
    assert tokens <= COUNTER.count(text) <= 2 * tokens


def test_the_estimate_is_close_for_persian() -> None:
    persian = [(text, tokens) for text, tokens in MEASURED if re.match("[آ-ی]", text)]
    assert sum(COUNTER.count(text) for text, _ in persian) < 1.25 * sum(tokens for _, tokens in persian)


@pytest.mark.parametrize("char", ["a", "ب", "😀", "\n", " ", "-"])
def test_a_text_without_words_is_counted_in_time(char: str) -> None:
    assert 0 < COUNTER.count(char * 300_000) <= 300_000 * 4  # minutes where the whole of it is joined as one word


def test_the_estimate_is_named_in_results() -> None:
    assert COUNTER.name == "estimate"


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=200)
def test_joining_at_a_line_break_costs_no_more_than_the_parts(first: str, second: str) -> None:
    assert COUNTER.count(f"{first}\n{second}") <= COUNTER.count(f"{first}\n") + COUNTER.count(second)


SENTENCE = st.lists(st.text(alphabet="ابپچگ\u200cabZ۱۲", min_size=1, max_size=8), min_size=1, max_size=8).map(
    lambda words: f"{' '.join(words)}. "
)


@given(SENTENCE, SENTENCE)
@settings(max_examples=300)
def test_sentences_cost_no_more_together_than_alone_and_hardly_less(first: str, second: str) -> None:
    alone = COUNTER.count(first) + COUNTER.count(second)
    assert alone - len(second.split()[0]) <= COUNTER.count(first + second) <= alone


@given(ANY_TEXT)
@settings(max_examples=300)
def test_a_text_costs_no_more_than_its_bytes(text: str) -> None:
    assert COUNTER.count(text) <= len(text.encode("utf-8", "surrogatepass"))


@given(ANY_TEXT)
@settings(max_examples=200)
def test_every_visible_piece_costs_something(text: str) -> None:
    assert COUNTER.count(text) >= len(re.findall(r"\S+", text))


def test_what_it_remembers_of_words_stays_within_a_few_megabytes() -> None:
    tracemalloc.start()
    for first in range(0, 40_000, 1000):
        COUNTER.count(" ".join(f"{first + number:x}".translate(_LETTERS) for number in range(1000)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 4_000_000
