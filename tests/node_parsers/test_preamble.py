import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.node_parsers.packing import pack
from rag_app.node_parsers.preamble import preambles
from rag_app.persian import sentence_spans
from rag_app.tokens import EstimatedTokenCounter

LINES = ["متن بند.", "# یک", "# دو", "## سه", "### چهار", "- مورد", "", "| الف | ب |", "|---|---|", "| ۱ | ۲ |"]


def above(text: str, title: str = "") -> dict[str, tuple[str, ...]]:
    """Return the lines above each sentence by the sentence."""
    spans = sentence_spans(text)
    found = preambles(text, spans, title)
    return {text[start:end].strip(): lines for (start, end), lines in zip(spans, found, strict=True)}


def test_a_sentence_stands_under_its_headings_and_a_heading_under_those_of_higher_levels() -> None:
    assert above("آغاز.\n# یک\nالف.\n## دو\nب.\n### سه\nپ.\n## چهار\nت.\n# پنج\nث.") == {
        "آغاز.": (),
        "# یک": (),
        "الف.": ("# یک",),
        "## دو": ("# یک",),
        "ب.": ("# یک", "## دو"),
        "### سه": ("# یک", "## دو"),
        "پ.": ("# یک", "## دو", "### سه"),
        "## چهار": ("# یک",),
        "ت.": ("# یک", "## چهار"),
        "# پنج": (),
        "ث.": ("# پنج",),
    }


def test_a_heading_that_repeats_the_title_is_left_out() -> None:
    text = "# عنوان\nالف.\n## بخش\nب."
    assert above(text, "عنوان")["ب."] == ("## بخش",)
    assert above(text, "دیگر")["ب."] == ("# عنوان", "## بخش")


def test_a_row_stands_under_the_header_of_its_table_alone() -> None:
    found = above("# قیمت\n\n| دوره | بها |\n|:--|--:|\n| الف | ۱ |\n| ب | ۲ |\n\nپایان.")
    header = "| دوره | بها |"
    assert found[header] == ("# قیمت",)
    assert found["|:--|--:|"] == found["| الف | ۱ |"] == found["| ب | ۲ |"] == ("# قیمت", header)
    assert found["پایان."] == ("# قیمت",)


@pytest.mark.parametrize("between", ["\n", "متن.\n", "## بخش\n"])
def test_each_table_has_a_header_of_its_own(between: str) -> None:
    found = above(f"| یک |\n|---|\n| الف |\n{between}| دو |\n|---|\n| ب |")
    assert found["| الف |"][-1:] == ("| یک |",)
    assert "| یک |" not in found["| دو |"]
    assert found["| ب |"][-1:] == ("| دو |",)


@pytest.mark.parametrize("text", ["| الف | ۱ |\n| ب | ۲ |", "|---|---|\n| ب | ۲ |", "متن.\n|---|\n| ب | ۲ |"])
def test_a_table_without_a_header_has_none(text: str) -> None:
    assert set(above(text).values()) == {()}


def test_a_row_of_dashes_within_a_table_is_no_second_header() -> None:
    assert above("| روز | ساعت |\n|---|---|\n| جمعه | ۹ |\n| - | - |\n| شنبه | ۸ |")["| شنبه | ۸ |"] == (
        "| روز | ساعت |",
    )


@given(st.lists(st.sampled_from(LINES), max_size=25).map("\n".join))
@settings(max_examples=200)
def test_every_line_above_is_a_line_before(text: str) -> None:
    spans = sentence_spans(text)
    for (start, _), lines in zip(spans, preambles(text, spans, ""), strict=True):
        before = [line.strip() for line in text[:start].splitlines()]
        assert set(lines) <= set(before)
        levels = [len(match[0]) for line in lines if (match := re.match("#+", line))]
        assert levels == sorted(set(levels))
        assert sum(line.startswith("|") for line in lines) <= 1


def test_a_long_row_of_dashes_is_read_in_time() -> None:
    text = f"| a |\n|{'-' * 50_000}x\n"
    started = time.process_time()
    preambles(text, sentence_spans(text), "")
    pack(text, sentence_spans(text), 100_000, EstimatedTokenCounter())
    assert time.process_time() - started < 3  # a minute where each dash was tried as the last
