import random
import time
import zlib
from collections.abc import Callable

import pytest

from rag_app.conversion import Converter
from rag_app.conversion.pdf import convert as convert_pdf
from tests.conversion.conftest import Convert
from tests.conversion.files import DATA, pdf, pdf_of_pages

Refused = Callable[[str, str | bytes], str]
SENTENCE = (
    "سفارش‌ها ظرف ۲۴ ساعت (به‌جز جمعه) به پست می‌رسد و کالای شما با کد ORD-12345 تا ۳ روز بعد تحویل می‌شود؛ "
    "پیگیری از https://shop.example/track یا تلفن ۰۲۱-۸۸۷۷۶۶۵۵ است."
)
TABLE = "| روش | هزینهٔ ارسال |\n| --- | --- |\n| پست | ۴۵٬۰۰۰ تومان |\n| پیک | 85,000 |"


@pytest.mark.parametrize("name", ["chromium", "writer", "fpdf2"])
def test_wrapped_persian_of_any_program_is_read_as_it_was_written(convert: Convert, name: str) -> None:
    text = convert(".pdf", (DATA / f"{name}.pdf").read_bytes()).text
    heading, rest = text.split("\n", 1)
    assert heading == "ارسال و تحویل"
    assert rest.strip().startswith(f"{SENTENCE}\n")
    assert text.endswith("\n\nکالاهای شکستنی بیمه می‌شوند.")  # the second page
    assert "۴۵٬۰۰۰ تومان" in text


@pytest.mark.parametrize("name", ["chromium", "fpdf2"])
def test_rows_whose_cells_stand_apart_are_a_table(convert: Convert, name: str) -> None:
    assert f"\n\n{TABLE}\n\n" in convert(".pdf", (DATA / f"{name}.pdf").read_bytes()).text


def test_letters_that_were_shaped_before_are_plain_letters(convert: Convert) -> None:
    assert convert(".pdf", (DATA / "shaped-before.pdf").read_bytes()).text == (
        "راهنمای مرجوع کردن کالا: کالای سالم را تا ۷ روز (یک هفته) پس فرستید و ۱٬۲۵۰٬۰۰۰ تومان بگیرید."
    )


@pytest.mark.parametrize(
    ("given", "title"), [(b"Price list", "Price list"), (b"price.docx", ""), (b"Untitled", ""), (b"", "")]
)
def test_a_title_is_kept_unless_a_program_made_it_up(convert: Convert, given: bytes, title: str) -> None:
    assert convert(".pdf", pdf(b"BT /F 12 Tf 72 720 Td (Hello) Tj ET", title=given)).title == title
    assert convert(".pdf", (DATA / "chromium.pdf").read_bytes()).title == "ارسال و تحویل"


def test_english_is_read(convert: Convert) -> None:
    drawing = b"BT /F 12 Tf 72 720 Td (Returns within 7 days \\(paid\\).) Tj 0 -14 Td (Call 021-88.) Tj ET"
    assert convert(".pdf", pdf(drawing)).text == "Returns within 7 days (paid).\nCall 021-88."


def test_a_scan_is_refused_and_told_what_it_needs(refused: Refused) -> None:
    assert refused(".pdf", pdf(b"0 0 100 100 re f")) == (
        "the PDF holds no text, only pictures; text must be recognised first (OCR), for example by ocrmypdf -l fas"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is no PDF"),
        (b"%PDF-1.4 junk", "the file is no PDF"),
        ((DATA / "chromium.pdf").read_bytes()[:10_000], "the file is broken"),
        ((DATA / "encrypted.pdf").read_bytes(), "the PDF is encrypted; save it without a password"),
        (pdf(b"BT /F 12 Tf (x) Tj ET", count=100_000), "the PDF has more than 5000 pages; split it"),
    ],
)
def test_what_is_broken_encrypted_or_endless_is_refused(refused: Refused, content: bytes, reason: str) -> None:
    assert reason in refused(".pdf", content)


HELLO = b"BT /F 12 Tf 72 720 Td (Hello) Tj ET "


@pytest.mark.parametrize(
    ("endless", "reason"),
    [
        (bytes(50_000_000), "more than 5 MB of instructions on one page"),
        (b"q " * 400_000, "more than 5 MB of instructions on one page"),  # each takes memory
        (b"/X Do", "more than 5 MB of instructions on one page"),
        (b"BT /F 12 Tf (" + b"a" * 100_001 + b") Tj ET", "more than 100,000 letters on one page"),
    ],
    ids=("NULs", "states", "forms", "letters"),
)
def test_a_page_that_draws_without_end_is_left_out_and_told_and_the_others_are_read(
    convert: Convert, endless: bytes, reason: str
) -> None:
    content = pdf_of_pages(HELLO, endless, HELLO)
    assert len(content) < 60_000
    converted = convert(".pdf", content)
    assert converted.text == "Hello\n\nHello"
    assert converted.left_out == (f"pages of the PDF were left out ({reason}): 2",)


def test_pages_that_draw_the_same_without_end_are_left_out_from_where_it_is_too_much(convert: Convert) -> None:
    content = pdf_of_pages(*[HELLO + b"a" * 900_000] * 30)
    (note,) = convert(".pdf", content).left_out
    allowed = (5_000_000 + 50 * len(content)) / 1e6
    assert note.startswith(
        f"pages of the PDF were left out (more than {allowed:.1f} MB of instructions up to them): 8, 9,"
    )
    assert note.endswith(" 27 and 3 more")


def test_a_stream_of_objects_that_unpacks_without_end_is_refused(refused: Refused) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    content = pdf(bomb, compression=b"/Type/ObjStm/N 9/First 9/Filter/FlateDecode")
    assert refused(".pdf", content) == "the PDF holds objects in a stream of more than 5 MB"


def test_a_long_stream_whose_checksum_is_wrong_is_read_in_time() -> None:
    packed = zlib.compress(HELLO + b"%" + random.Random(0).randbytes(500_000).hex().encode())
    seconds = []
    for stream in (packed, packed[:-1] + b"?"):
        started = time.process_time()
        assert convert_pdf(pdf(stream, compression=b"/Filter/FlateDecode"), 2_000_000).text == "Hello"
        seconds.append(time.process_time() - started)
    assert seconds[1] < 10 * seconds[0]  # 100 where each byte was put behind all that came before


def test_a_pdf_of_which_nothing_is_left_is_refused_with_the_reason(refused: Refused) -> None:
    assert refused(".pdf", pdf_of_pages(bytes(6_000_000))) == (
        "pages of the PDF were left out (more than 5 MB of instructions on one page): 1"
    )


def test_a_stream_is_unpacked_only_so_far() -> None:
    content = pdf_of_pages(HELLO, bytes(300_000_000))
    assert len(content) < 500_000
    with Converter(memory_mb=500) as converter:
        converted = converter.convert(".pdf", content, max_mb=2)
    assert converted.text == "Hello"
    assert converted.left_out == ("pages of the PDF were left out (the PDF holds a stream of more than 50 MB): 2",)


def test_letters_that_the_font_does_not_tell_are_refused_and_told_what_they_need(refused: Refused) -> None:
    content = pdf(b"BT /F 12 Tf <00410042> Tj ET").replace(
        b"/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding",
        b"/Subtype/Type0/BaseFont/A/Encoding/Identity-H/DescendantFonts[<</Subtype/CIDFontType2/BaseFont/A>>]",
    )
    assert refused(".pdf", content) == (
        "the PDF's fonts do not tell which letters they draw; text must be recognised first (OCR), for example by "
        "ocrmypdf -l fas"
    )
