"""Hostile files of every kind that is read, made by code: small ones that are whole, bombs, and changes at random."""

from __future__ import annotations

import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

from hostile_texts import hostile_json, hostile_text, hostile_value

Make = Callable[[], bytes]
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_TAGS = "div p b table tr td th ul ol li dl dt dd a h1 h6 pre code blockquote br img script title form select".split()  # noqa: SIM905


def html(body: str) -> bytes:
    """Return a page."""
    return f"<html><head><title>صفحه</title></head><body>{body}</body></html>".encode("utf-8", "surrogatepass")


def docx(body: str, **more: bytes) -> bytes:
    """Return a Word document of a body of WordprocessingML; `more` are further files in it."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        default = '<Default Extension="xml" ContentType="application/xml"/>'
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types">{default}</Types>')
        link = f'<Relationship Id="r" Type="{_OFFICE}" Target="word/document.xml"/>'
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{link}</Relationships>')
        document = f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", document.encode("utf-8", "surrogatepass"))
        for name, content in more.items():
            archive.writestr(name, content)
    return held.getvalue()


def pdf(drawing: bytes, *, page: bytes = b"", more: tuple[bytes, ...] = (), compression: bytes = b"") -> bytes:
    """Return a PDF of one page; `page` are further entries of it, `more` objects from the sixth on."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>%s>>>>" % page,
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(drawing), compression, drawing),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        *more,
    )
    numbered = b"".join(b"%d 0 obj\n%s\nendobj\n" % pair for pair in enumerate(objects, start=1))
    return b"%PDF-1.4\n" + numbered + b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF" % (len(objects) + 1)


def _paragraphs(count: int) -> str:
    return "<w:p><w:r><w:t>متن</w:t></w:r></w:p>" * count


def _form(drawing: bytes) -> bytes:
    names = b"/Resources<</XObject<</X 6 0 R>>>>"
    return b"<</Type/XObject/Subtype/Form%s/Length %d>>stream\n%s\nendstream" % (names, len(drawing), drawing)


_PLAIN = b"BT /F 12 Tf 72 720 Td (Returns within 7 days.) Tj 0 -14 Td (Call 021-88.) Tj ET"
SEEDS: dict[str, dict[str, Make]] = {
    ".html": {
        "a page": lambda: html("<h1>عنوان</h1><p>متن <a href='https://x.y'>پیوند</a><ul><li>یک<li>دو</ul>"),
        "a table": lambda: html("<table><tr><th>کالا<th>قیمت<tr><td colspan=2>چای</table><pre>x\n y</pre>"),
        "100,000 levels": lambda: html("<div>" * 100_000 + "متن"),
        "100,000 levels of emphasis": lambda: html("<b><i>" * 50_000 + "متن"),
        "lists within lists": lambda: html("<ul><li>متن" * 20_000),
        "tables within tables": lambda: html("<table><tr><td>متن" * 3_000),
        "100,000 cells": lambda: html("<table><tr>" + "<td>1" * 100_000),
        "100,000 rows": lambda: html("<table>" + "<tr><td>1" * 100_000),
        "spans of a billion": lambda: html("<table><tr>" + "<td colspan=1000000000 rowspan=1000000000>1" * 1000),
        "a million spaces": lambda: html("<p>a" + " " * 1_000_000 + "b<pre>" + " " * 1_000_000 + "x"),
        "a million line breaks": lambda: html("<p>" + "<br>\n" * 200_000),
        "entities": lambda: html("&#x202e;&#0;&#xd800;&lt;" * 20_000),
        "attributes": lambda: html("<p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">متن"),
        "unclosed": lambda: html("<" * 100_000 + "<!--" * 50_000),
    },
    ".docx": {
        "a document": lambda: docx(_paragraphs(3)),
        "100,000 paragraphs": lambda: docx(_paragraphs(20_000)),
        "a bomb": lambda: docx(_paragraphs(1), **{"word/media/x.bin": bytes(210_000_000)}),
        "deep": lambda: docx("<w:sdt><w:sdtContent>" * 50_000 + "</w:sdtContent></w:sdt>" * 50_000),
        "tables": lambda: docx("<w:tbl><w:tr><w:tc>" * 200 + _paragraphs(1) + "</w:tc></w:tr></w:tbl>" * 200),
        "entities": lambda: docx("&e;").replace(b"&e;", b"&e;"),
        "twice a file": lambda: docx(_paragraphs(1), **{"docProps/core.xml": b"<core/>", "word/styles.xml": b"<x>"}),
    },
    ".pdf": {
        "a page": lambda: pdf(_PLAIN),
        "a line of 20,000 letters": lambda: pdf(b"BT /F 12 Tf 72 720 Td (" + b"a1 " * 7_000 + b") Tj ET"),
        "letters at one place": lambda: pdf(b"BT /F 12 Tf 72 720 Td " + b"(a) Tj 0 0 Td " * 5_000 + b"ET"),
        "arrays": lambda: pdf(b"[" * 50_000 + _PLAIN),
        "saved states": lambda: pdf(b"q " * 50_000 + _PLAIN),
        "a bomb": lambda: pdf(zlib.compress(bytes(50_000_000), 9), compression=b"/Filter/FlateDecode"),
        "a form that draws itself": lambda: pdf(b"/X Do", page=b"/XObject<</X 6 0 R>>", more=(_form(b"/X Do"),)),
        "pages of themselves": lambda: pdf(_PLAIN).replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"),
        "a length of itself": lambda: pdf(_PLAIN).replace(b"/Length ", b"/Length 4 0 R/X "),
        "a parent of itself": lambda: pdf(_PLAIN).replace(b"/Parent 2 0 R", b"/Parent 3 0 R"),
        "a huge matrix": lambda: pdf(b"1e308 1e308 1e308 1e308 1e308 1e308 cm " * 3 + _PLAIN),
        "a font of size 0": lambda: pdf(_PLAIN.replace(b"12 Tf", b"0 Tf")),
    },
    ".csv": {
        "pairs": lambda: "question,answer\nارسال؟,سه روز\n".encode(),
        "products": lambda: "title,price,sku\nچای,۱۰۰,a1\nقهوه,200,a2\n".encode(),
        "100,000 columns": lambda: ("title," + ",".join(map(str, range(100_000))) + "\n" + "a\n" * 20_000).encode(),
        "100,000 cells": lambda: b"title\n" + b"a," * 100_000 + b"\n",
        "unclosed quotes": lambda: b'question,answer\n"' + b'a,"\n' * 50_000,
        "100,000 columns of no use": lambda: b"," * 100_000 + b"\n1",
        "full rows of 2,000 columns": lambda: ("title," * 2_000 + "\n" + "1," * 2_000 + "\n").encode() * 3,
    },
    ".jsonl": {
        "records": lambda: '{"id": 1, "text": "متن"}\n{"question": "چند؟", "answer": "سه"}\n'.encode(),
        "deep": lambda: b'{"id": "a", "text": "x", "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a line of 15 MB": lambda: b'{"id": "a", "text": "x", "metadata": {"a": "' + b"b" * 15_000_000 + b'"}}',
        "100,000 keys": lambda: json.dumps({"id": "a", "text": "x", **{f"k{n}": n for n in range(100_000)}}).encode(),
        "a number without end": lambda: b'{"id": ' + b"9" * 1_000_000 + b', "text": "x"}',
        "100,000 lines of nothing": lambda: b"\n" * 50_000 + b"{}\n" * 20_000,
        "keys twice": lambda: b'{"id": "a", "id": 7, "text": "x", "text": null, "text": "y"}',
    },
    ".md": {
        "a page": lambda: "# عنوان\n\n- یک\n- دو\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n".encode(),
        "dashes": lambda: b"|" + b"-" * 100_000 + b"x",
        "headings": lambda: b"# a\n## b\n" * 5_000,
    },
    ".txt": {
        "a text": lambda: "سلام. این متن است؛ خوب؟\nبله.".encode(),
        "UTF-16": lambda: "سلام".encode("utf-16"),
        "marks": lambda: ("a" + "\u0301" * 50_000 + "\u0323" * 50_000).encode(),
        "spaces between digits": lambda: b"1" + b" " * 100_000 + b"1",
    },
}  # fmt: skip


@cache
def seed(suffix: str, name: str) -> bytes:
    """Return the file of a kind by its name."""
    return SEEDS[suffix][name]()


def hostile_file(choose: random.Random, suffix: str) -> tuple[str, bytes]:
    """Return a file of a kind and what it is: made anew, or a small one that is whole with changes at random."""
    if suffix in _MADE and choose.random() < 0.5:
        return "made", _MADE[suffix](choose)
    names = [name for name in SEEDS[suffix] if len(seed(suffix, name)) < 20_000]
    name = choose.choice(names)
    return f"{name}, changed", changed(choose, seed(suffix, name))


def changed(choose: random.Random, content: bytes) -> bytes:
    """Return the content with some bytes changed, left out, doubled, or put somewhere else."""
    held = bytearray(content)
    for _ in range(choose.choice((1, 3, 10))):
        at, size = choose.randrange(len(held) + 1), choose.choice((1, 1, 4, 30, 300))
        piece = bytes(held[at : at + size])
        kind = choose.randrange(6)
        if kind == 0:
            held[at : at + size] = bytes(choose.randrange(256) for _ in range(min(size, 4)))
        elif kind == 1:
            del held[at : at + size]
        elif kind == 2:
            held[at:at] = piece * choose.choice((1, 3, 100))
        elif kind == 3:
            other = choose.randrange(len(held) + 1)
            held[other:other] = piece
        elif kind == 4 and at < len(held):
            held[at] ^= 1 << choose.randrange(8)
        else:
            held[at:at] = choose.choice(
                (b"\0", b"-1", b"99999999999", b"1e999", b"\xff\xfe", b"%", b"<", b">", b'"', b"(", b"]")
            )
        if not held:
            break
    return bytes(held)


def _page(choose: random.Random) -> bytes:
    parts = []
    for _ in range(choose.choice((1, 10, 100))):
        tag, close = choose.choice(_TAGS), choose.random() < 0.6
        text = hostile_text(choose, choose.choice((20, 20, 3000)))
        attribute = choose.choice(("", "", ' href="https://x"', ' colspan="99999999999"', " start=-5", ' rowspan="x"'))
        parts.append(
            f"<{tag}{attribute}>{text}" + (f"</{choose.choice((tag, tag, choose.choice(_TAGS)))}>" if close else "")
        )
    return html("".join(parts))


def _words(choose: random.Random) -> bytes:
    text = "".join(char for char in hostile_text(choose, 3000) if char >= " " and not "\ud800" <= char <= "\udfff")
    safe = text.replace("&", "").replace("<", "&lt;")
    runs = choose.choice(("", "<w:tab/>", "<w:br/>", '<w:numPr><w:numId w:val="9"/></w:numPr>', "<w:hyperlink>"))
    return docx(f"<w:p><w:r>{runs}<w:t>{safe}</w:t></w:r></w:p>" * choose.choice((1, 5)))


def _drawing(choose: random.Random) -> bytes:
    parts = []
    for _ in range(choose.choice((1, 20, 300))):
        x, y, size = (choose.choice((0, 1, -1, 12, 300, 1e9, -1e-9)) for _ in range(3))
        text = bytes(choose.randrange(32, 256) for _ in range(choose.choice((1, 5, 50)))).translate(None, b"()\\")
        parts.append(b"/F %f Tf %f %f Td (%s) Tj %d Tz %d Tr " % (size, x, y, text, choose.choice((100, 0, -1)), 0))
    return pdf(b"BT " + b"".join(parts) + b"ET")


def _table(choose: random.Random) -> bytes:
    head = choose.choice(("question,answer", "title,text", "نام,قیمت,کد", hostile_text(choose, 300)))
    rows = (
        ",".join(hostile_text(choose, choose.choice((10, 300))) for _ in range(choose.choice((1, 2, 3, 40))))
        for _ in range(20)
    )
    return "\n".join((head, *rows)).encode("utf-8", choose.choice(("surrogatepass", "replace")))


def _lines(choose: random.Random) -> bytes:
    def record() -> dict[str, object]:
        names = choose.sample(("id", "_id", "text", "title", "source", "metadata", "question", "answer", "x"), 4)
        return {name: hostile_value(choose) for name in names} | {"id": choose.choice(("a", hostile_value(choose)))}

    lines = (hostile_json(choose, record()) for _ in range(5))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _text(choose: random.Random) -> bytes:
    return hostile_text(choose, 30_000).encode("utf-8", choose.choice(("surrogatepass", "replace")))


_MADE: dict[str, Callable[[random.Random], bytes]] = {
    ".html": _page,
    ".docx": _words,
    ".pdf": _drawing,
    ".csv": _table,
    ".jsonl": _lines,
    ".md": _text,
    ".txt": _text,
}
