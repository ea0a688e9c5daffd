import io
import math

import pytest
from pdfminer.pdfdocument import PDFDocument
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser

from rag_app.conversion.budget import Budget
from rag_app.conversion.drawing import Drawing
from rag_app.conversion.fonts import Fonts
from rag_app.conversion.pages import Glyph
from tests.conversion.files import pdf

# In thousandths of the size Helvetica's a, b and c are 556, 556 and 500 wide, its space 278.


def drawn_page(content: bytes) -> list[Glyph]:
    page = next(PDFPage.create_pages(PDFDocument(PDFParser(io.BytesIO(content)))))
    budget = Budget(len(content))
    return Drawing(page, Fonts(budget), budget).glyphs


def drawn(instructions: bytes) -> list[Glyph]:
    return drawn_page(pdf(instructions))


def places(instructions: bytes) -> list[tuple[str, float, float]]:
    return [(glyph.text, round(glyph.start, 3), round(glyph.baseline, 3)) for glyph in drawn(instructions)]


def test_a_glyph_is_where_text_matrix_and_page_put_it() -> None:
    assert drawn(b"2 0 0 2 10 20 cm BT /F 10 Tf 1 0 0 1 5 5 Tm (a) Tj ET") == [
        Glyph("a", pytest.approx(20), pytest.approx(20 + 11.12), pytest.approx(30), pytest.approx(20))
    ]


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        (b"7 8 Td (a) Tj 1 -9 Td (b) Tj", [("a", 7, 8), ("b", 8, -1)]),
        (b"7 8 Td (a) Tj 0 -9 TD (b) Tj T* (c) Tj", [("a", 7, 8), ("b", 7, -1), ("c", 7, -10)]),
        (b"12 TL (a) Tj (b) ' 3 1 (c) \"", [("a", 0, 0), ("b", 0, -12), ("c", 0, -24)]),
        (b"(a) Tj 1 0 0 1 50 0 Tm (b) Tj ET BT (c) Tj", [("a", 0, 0), ("b", 50, 0), ("c", 0, 0)]),
    ],
)
def test_lines_are_where_they_are_moved_to(instructions: bytes, expected: list[tuple[str, float, float]]) -> None:
    assert places(b"BT /F 10 Tf " + instructions + b" ET") == expected


@pytest.mark.parametrize(
    ("instructions", "starts"),
    [
        (b"(ab) Tj (c) Tj", [0, 5.56, 11.12]),
        (b"[(a) -100 (b) 1000 (c)] TJ", [0, 6.56, 2.12]),
        (b"[(a) /x -100 (b)] TJ", [0, 6.56]),
        (b"2 Tc (ab) Tj (c) Tj", [0, 7.56, 15.12]),
        (b"5 Tw (a b) Tj", [0, 5.56, 13.34]),
        (b"50 Tz 2 Tc [(a) -100 (b)] TJ", [0, 4.28]),
        (b'3 Tw 2 Tc 0 0 (a b) "', [0, 5.56, 8.34]),
    ],
)
def test_glyphs_follow_each_other_by_widths_and_spaces(instructions: bytes, starts: list[float]) -> None:
    assert [start for _, start, _ in places(b"BT /F 10 Tf " + instructions + b" ET")] == starts


def test_a_state_that_was_kept_comes_back() -> None:
    assert places(b"/F 10 Tf q 1 0 0 1 9 9 cm 2 Tc q Q BT (ab) Tj ET Q Q BT (ab) Tj ET") == [
        ("a", 9, 9),
        ("b", 16.56, 9),
        ("a", 0, 0),
        ("b", 5.56, 0),
    ]


@pytest.mark.parametrize("degrees", [30, 90, 180, -45])
def test_a_turned_line_is_measured_along_itself(degrees: float) -> None:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    first, second = drawn(b"%f %f %f %f 0 0 cm BT /F 10 Tf 1 0 0 1 5 7 Tm (ab) Tj ET" % (cosine, sine, -sine, cosine))
    assert (first.start, first.end, first.baseline) == pytest.approx((5, 10.56, 7), abs=1e-4)
    assert (second.start, second.baseline, second.size) == pytest.approx((10.56, 7, 10), abs=1e-4)


def test_a_turned_page_is_read_upright() -> None:
    lying = pdf(b"0 1 -1 0 595 0 cm BT /F 10 Tf 30 500 Td (a) Tj ET").replace(b"/MediaBox", b"/Rotate 90/MediaBox")
    (glyph,) = drawn_page(lying)
    assert (glyph.start, glyph.baseline) == pytest.approx((30, 500))


def with_form(instructions: bytes, form: bytes, entries: bytes = b"") -> bytes:
    stream = b"7 0 obj\n<</Subtype/Form%s/Length %d>>stream\n%s\nendstream\nendobj\n" % (entries, len(form), form)
    return (
        pdf(instructions)
        .replace(b"/Resources<<", b"/Resources<</XObject<</X 7 0 R>>")
        .replace(b"trailer", stream + b"trailer")
    )


def test_a_form_is_drawn_where_it_is_put_and_changes_nothing_after_it() -> None:
    page = with_form(
        b"/F 10 Tf 1 0 0 1 100 0 cm /X Do BT (b) Tj ET", b"BT 2 Tc (a) Tj ET 5 0 0 5 0 0 cm", b"/Matrix[2 0 0 2 0 50]"
    )
    a, b = drawn_page(page)
    assert (a.text, a.start, a.baseline, a.size) == ("a", 100, 50, 20)
    assert (b.text, b.start, b.baseline, b.size) == ("b", 100, 0, 10)


def test_a_form_that_draws_itself_is_drawn_once() -> None:
    assert [glyph.text for glyph in drawn_page(with_form(b"/F 9 Tf /X Do", b"BT (a) Tj ET /X Do"))] == ["a"]


def test_what_does_not_fit_an_operator_is_passed_over() -> None:
    wrong = b"(x) Td 1 Td /F (x) Tf [1 2] Tj (x) TJ 7 Do /X Do 1 2 cm Q Q /F Tz "
    assert places(wrong + b"BT (x) Tj /F 10 Tf " + wrong + b"(a) Tj ET") == [("a", 0, 0)]


def test_a_font_that_is_not_there_is_taken_for_one_of_the_usual_letters() -> None:
    assert [glyph.text for glyph in drawn(b"BT /G 10 Tf (ab) Tj ET")] == ["a", "b"]
