import zlib
from collections.abc import Callable

import pytest

from tests.conversion.conftest import Convert
from tests.conversion.files import DATA, docx, paragraph

Refused = Callable[[str, str | bytes], str]


def test_a_document_keeps_headings_half_spaces_and_tables(convert: Convert) -> None:
    document = convert(".docx", (DATA / "writer.docx").read_bytes())
    assert document.title == "ارسال و تحویل"
    assert document.text == (
        "# ارسال و تحویل\n\n"
        "سفارش‌ها ظرف ۲۴ ساعت (به‌جز جمعه) به پست می‌رسد و کالای شما با کد ORD-12345 تا ۳ روز بعد تحویل می‌شود؛ "
        "پیگیری از https://shop.example/track یا تلفن ۰۲۱-۸۸۷۷۶۶۵۵ است.\n\n"
        "| روش | هزینهٔ ارسال |\n| --- | --- |\n| پست | ۴۵٬۰۰۰ تومان |\n| پیک | 85,000 |\n\nکالاهای شکستنی بیمه می‌شوند."
    )


def test_right_to_left_paragraphs_and_headings_by_style_are_read(convert: Convert) -> None:
    body = paragraph("گارانتی", "Heading1") + paragraph("تعمیر آن‌ها رایگان است.") + paragraph("استثناها", "Heading2")
    document = convert(".docx", docx(body))
    assert (document.title, document.text) == ("گارانتی", "# گارانتی\n\nتعمیر آن‌ها رایگان است.\n\n## استثناها")


def test_the_title_of_the_properties_comes_first(convert: Convert) -> None:
    assert convert(".docx", docx(paragraph("سرفصل", "Heading1"), title="نام سند")).title == "نام سند"
    assert convert(".docx", docx(paragraph("متن"))).title == ""


_ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is no Word document: File is not a zip file"),
        (docx(paragraph("متن"))[:400], "the file is no Word document"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "encrypted or of the old .doc format"),
        (docx(extra=bytes(21_000_000)), "unpacks to 21.0 MB; the limit is 20 (ingestion.max_file_mb × 10)"),
        (docx("&e9;", before=f'<!DOCTYPE d [<!ENTITY e0 "متن">{_ENTITIES}]>'), "amplification"),
        (docx("<w:sdt><w:sdtContent>" * 9000 + "</w:sdtContent></w:sdt>" * 9000), "nested too deep"),
        (docx("<w:p>"), "the file is broken"),
        (zlib.compress(b"x"), "no Word document"),
    ],
)
def test_what_is_broken_or_hostile_is_refused(refused: Refused, content: bytes, reason: str) -> None:
    assert reason in refused(".docx", content)
