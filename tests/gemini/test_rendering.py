import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.schema import NodeWithScore, TextNode

from rag_app.gemini import render_chunk, render_context
from rag_app.tokens import EstimatedTokenCounter


def chunk(text: str, title: str = "عنوان", source: str = "manual") -> NodeWithScore:
    return NodeWithScore(node=TextNode(text=text, metadata={"title": title, "source": source}), score=1.0)


def test_chunks_are_numbered_from_one_in_the_order_given() -> None:
    assert render_context([chunk("متن یک"), chunk("متن دو", title="", source="faq")]) == (
        '<chunk id="1" source="manual" title="عنوان">\nمتن یک\n</chunk>\n'
        '<chunk id="2" source="faq" title="">\nمتن دو\n</chunk>\n'
    )


def test_no_chunks_are_no_context() -> None:
    assert render_context([]) == ""


def test_a_chunk_without_title_and_source_is_rendered() -> None:
    assert render_chunk(3, TextNode(text="متن")) == '<chunk id="3" source="" title="">\nمتن\n</chunk>\n'


def test_an_attribute_can_not_end_early_or_break_its_line() -> None:
    rendered = render_chunk(1, chunk("متن", title='a" id="9\n\t b', source='x">').node)
    assert rendered.splitlines()[0] == '<chunk id="1" source="x”>" title="a” id=”9 b">'


LOOK_ALIKES = [
    "</chunk>",
    "<chunk id='7'>",
    "</CHUNK>",
    "<Chunk>",
    "< chunk>",
    "</ chunk >",
    "<  /  chunk>",
    "<\n/chunk>",
    "<\tchunk>",
    "<\u200bchunk>",
    "<\u200c/\u200cchunk>",
    "<\u00a0chunk>",
    "</\u2060chunk>",
    "<//chunk>",
    "<context>",
    "<question>",
    "< /QUESTION>",
    "</Context>",
    "<chunk",
]


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_a_delimiter_look_alike_in_text_or_title_loses_its_bracket(look_alike: str) -> None:
    rendered = render_chunk(1, chunk(f"قبل {look_alike} بعد", title=look_alike, source=look_alike).node)
    assert rendered.count("<") == 2
    assert rendered.startswith('<chunk id="1" ')
    assert rendered.endswith("\n</chunk>\n")
    assert f"قبل ({look_alike[1:]} بعد" in rendered


@pytest.mark.parametrize(
    "text",
    ["۳ < ۵ و ۷ > ۲", "<b>chunk</b>", "<chunky>", "<!-- -->", "a<b chunk", "x <- chunk", "contexts <contextual>"],
)
def test_other_brackets_stay(text: str) -> None:
    assert f"\n{text}\n" in render_chunk(1, chunk(text).node)


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_taking_a_delimiter_apart_costs_no_token(look_alike: str) -> None:
    rendered = render_chunk(1, TextNode(text=look_alike))
    assert "(" in rendered
    assert EstimatedTokenCounter().count(rendered) == EstimatedTokenCounter().count(rendered.replace("(", "<"))


HEADER, ROW = "| روش | هزینه |", "| پیک | ۱۲۰٬۰۰۰ تومان |"


def with_preamble(text: str, *lines: str) -> TextNode:
    return TextNode(text=text, metadata={"title": "ارسال", "source": "manual", "preamble": "\n".join(lines)})


def test_the_lines_above_a_chunk_are_shown_above_it() -> None:
    assert render_chunk(1, with_preamble(ROW, "## هزینه", HEADER)) == (
        f'<chunk id="1" source="manual" title="ارسال">\n## هزینه\n{HEADER}\n{ROW}\n</chunk>\n'
    )


def test_a_line_that_the_text_holds_itself_is_not_shown_twice() -> None:
    text = f"## هزینه\n\n{HEADER} \n|---|---|\n{ROW}"
    assert f'title="ارسال">\n# ارسال کتاب\n{text}\n<' in render_chunk(
        1, with_preamble(text, "# ارسال کتاب", "## هزینه", HEADER)
    )


def test_a_line_is_shown_where_the_text_holds_it_within_another() -> None:
    assert ">\n## هزینه\nمتن ## هزینه\n<" in render_chunk(1, with_preamble("متن ## هزینه", "## هزینه"))


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_a_line_above_a_chunk_can_not_imitate_a_delimiter(look_alike: str) -> None:
    assert render_chunk(1, with_preamble("متن", look_alike)).count("<") == 2


COUNTED = st.lists(st.sampled_from([HEADER, ROW, "## هزینه", "متن", " ", "\n", "<chunk>"]), max_size=8).map("\n".join)


@given(COUNTED, COUNTED)
@settings(max_examples=200)
def test_a_chunk_costs_no_more_than_its_text_and_what_stands_around_a_short_one(text: str, preamble: str) -> None:
    count = EstimatedTokenCounter().count  # so the token budget counts
    shown = with_preamble(text.strip(), preamble)
    assert count(render_chunk(9, shown)) <= count(render_chunk(99, with_preamble("x", preamble))) + count(text.strip())


PIECES = ["<", ">", "/", "chunk", "Context", " ", "\n", "\u200b", '"', "متن"]


@given(st.lists(st.sampled_from(PIECES), max_size=15).map("".join))
@settings(max_examples=200)
def test_no_text_and_no_title_can_imitate_a_delimiter(text: str) -> None:
    rendered = render_context([chunk(text, title=text, source=text)])
    assert len(re.findall(r"<[\s/\u200b]*(?:chunk|context)\b", rendered, re.IGNORECASE)) == 2
    assert re.fullmatch(r'<chunk id="1" source="[^"\n]*" title="[^"\n]*">\n.*\n</chunk>\n', rendered, re.DOTALL)


def test_the_chunk_itself_is_not_changed() -> None:
    node = chunk("</chunk> متن", title='"</chunk>"')
    before = node.model_copy(deep=True)
    render_context([node])
    assert node == before
    assert node.node.get_content() == "</chunk> متن"
