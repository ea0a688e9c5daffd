"""Hostile files of every kind that is read, made by code: small ones that are whole, bombs, and changes at random."""

from __future__ import annotations

import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from hashlib import md5

from hostile_texts import hostile_json, hostile_text, hostile_value

Make = Callable[[], bytes]
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
_FILE_ENTITY = '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
_ENTITIES = (
    f"""<!DOCTYPE d [<!ENTITY e0 "x">{"".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))}]>"""
)
_TAGS = "div p b table tr td th ul ol li dl dt dd a h1 h6 pre code blockquote br img script title form select".split()  # noqa: SIM905


def html(body: str) -> bytes:
    """Return a page."""
    return f"<html><head><title>صفحه</title></head><body>{body}</body></html>".encode("utf-8", "surrogatepass")


def docx(body: str, before: str = "", /, **more: bytes) -> bytes:
    """Return a Word document of a body of WordprocessingML; `before` precedes it, `more` are further files in it."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        default = '<Default Extension="xml" ContentType="application/xml"/>'
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types">{default}</Types>')
        link = f'<Relationship Id="r" Type="{_OFFICE}" Target="word/document.xml"/>'
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{link}</Relationships>')
        document = f'{before}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
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


def _item() -> str:
    number = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    return f"<w:p><w:pPr>{number}</w:pPr><w:r><w:t>متن</w:t></w:r></w:p>"


def _numbering() -> bytes:
    level = '<w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl>'
    listed = f'<w:abstractNum w:abstractNumId="1">{level}</w:abstractNum>'
    used = '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
    return f'<w:numbering xmlns:w="{_WORD}">{listed}{used}</w:numbering>'.encode()


def _picture() -> str:
    blip = f'<a:blip xmlns:a="{_DRAWING}/main" xmlns:r="{_LINKS}" r:link="a" r:embed="b"/>'
    picture = f'<p:pic xmlns:p="{_DRAWING}/picture"><p:blipFill>{blip}</p:blipFill></p:pic>'
    inline = f'<i:inline xmlns:i="{_DRAWING}/wordprocessingDrawing" xmlns:a="{_DRAWING}/main">'
    graphic = f"<a:graphic><a:graphicData>{picture}</a:graphicData></a:graphic></i:inline>"
    return f"<w:p><w:r><w:drawing>{inline}{graphic}</w:drawing><w:t>متن</w:t></w:r></w:p>"


def _elsewhere() -> bytes:
    targets = {"a": "file:///etc/passwd", "b": "http://127.0.0.1:9/a.png", "c": "\\\\127.0.0.1\\x"}
    links = "".join(
        f'<Relationship Id="{name}" Type="{_LINKS}/image" Target="{target}" TargetMode="External"/>'
        for name, target in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'.encode()


def _form(drawing: bytes, drawn: int = 6) -> bytes:
    names = b"/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>" % drawn
    return b"<</Type/XObject/Subtype/Form%s/Length %d>>stream\n%s\nendstream" % (names, len(drawing), drawing)


def _packed(content: bytes, entries: bytes = b"") -> bytes:
    packed = zlib.compress(content, 9)
    return b"<<%s/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (entries, len(packed), packed)


def _levels(count: int) -> tuple[bytes, ...]:
    nodes = (b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (7 + level) for level in range(count - 1))
    return (*nodes, b"<</Type/Pages/Kids[3 0 R]/Count 1>>")


_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def encrypted(drawing: bytes, password: bytes) -> bytes:
    """Return a PDF that is encrypted by RC4 of 40 bits, as all readers know it, for this password."""
    padded = (password + _PADDING)[:32]
    owner = _rc4(md5(padded).digest()[:5], padded)  # noqa: S324 - the format's
    key = md5(padded + owner + b"\xfc\xff\xff\xff" + b"a" * 16).digest()[:5]  # noqa: S324
    content = _rc4(md5(key + b"\x04\x00\x00\x00\x00").digest()[:10], drawing)  # noqa: S324
    entries = (owner.hex().encode(), _rc4(key, _PADDING).hex().encode())
    lock = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % entries
    named = b"/ID[<%s><%s>]" % ((b"61" * 16,) * 2)
    return pdf(content).replace(b"trailer<<", b"trailer<<" + lock + named)


def _rc4(key: bytes, content: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    made, i, j = bytearray(), 0, 0
    for byte in content:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        made.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(made)


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
        "100,000 numbered items": lambda: html("<ol>" + "<li>1" * 100_000),
        "100,000 rows of a head": lambda: html("<table><thead>" + "<tr><th>1" * 100_000),
        "quotes within quotes": lambda: html("<blockquote>متن<br>" * 20_000),
        "long quotes within quotes": lambda: html("<blockquote>" * 190 + "متن<br>" * 50_000),
        "ends of nothing": lambda: html("<i>" * 50_000 + "</b>" * 50_000),
        "ends of nothing, a million": lambda: html("<i>" * 9_000 + "</b>" * 1_000_000),
        "runs of 200 spaces": lambda: html(("متن" + " " * 200) * 20_000),
        "a million line breaks, twice": lambda: html("<br>" * 2_000_000),
        "charsets without end": lambda: html("<meta " * 400_000),
        "UTF-7": lambda: "<meta charset=utf-7><p>متن</p>".encode("utf-7"),
        "UTF-16 of two orders": lambda: "<p>متن".encode("utf-16-le") + "<p>متن".encode("utf-16-be"),
        "a mark of UTF-16 before UTF-8": lambda: b"\xff\xfe" + html("متن"),
        "20 MB of letters": lambda: html("a " * 9_900_000),
        "links": lambda: html("<a href='https://x.y/z'>x</a>" * 50_000),
    },
    ".docx": {
        "a document": lambda: docx(_paragraphs(3)),
        "100,000 paragraphs": lambda: docx(_paragraphs(20_000)),
        "a bomb": lambda: docx(_paragraphs(1), **{"word/media/x.bin": bytes(210_000_000)}),
        "deep": lambda: docx("<w:sdt><w:sdtContent>" * 50_000 + "</w:sdtContent></w:sdt>" * 50_000),
        "tables": lambda: docx("<w:tbl><w:tr><w:tc>" * 200 + _paragraphs(1) + "</w:tc></w:tr></w:tbl>" * 200),
        "entities": lambda: docx("&e;").replace(b"&e;", b"&e;"),
        "20,000 numbered items": lambda: docx(_item() * 20_000, **{"word/numbering.xml": _numbering()}),
        "20,000 rows": lambda: docx(
            "<w:tbl>" + f"<w:tr><w:tc>{_paragraphs(1)}</w:tc></w:tr>" * 20_000 + "</w:tbl>"
        ),
        "20,000 runs": lambda: docx(f"<w:p>{'<w:r><w:t>a</w:t></w:r>' * 20_000}</w:p>"),
        "fields within fields": lambda: docx(
            "<w:p>" + '<w:r><w:fldChar w:fldCharType="begin"/></w:r>' * 20_000 + "<w:r><w:t>a</w:t></w:r></w:p>"
        ),
        "100,000 entries": lambda: docx(_paragraphs(1), **{f"word/x{n}": b"" for n in range(100_000)}),
        "an entry twice": lambda: docx(_paragraphs(1)) + docx(_paragraphs(2)),
        "entities of files": lambda: docx("<w:p><w:r><w:t>&e;</w:t></w:r></w:p>", _FILE_ENTITY),
        "entities within entities": lambda: docx("<w:p><w:r><w:t>&e9;</w:t></w:r></w:p>", _ENTITIES),
        "links to elsewhere": lambda: docx(
            _picture(), **{"word/_rels/document.xml.rels": _elsewhere()}
        ),
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
        "pages of each other": lambda: pdf(_PLAIN).replace(b"/Kids[3 0 R]", b"/Kids[3 0 R 6 0 R]").replace(
            b"trailer", b"6 0 obj\n<</Type/Pages/Parent 2 0 R/Kids[2 0 R 6 0 R]/Count 9>>\nendobj\ntrailer"
        ),
        "a tree of 20,000 levels": lambda: pdf(_PLAIN, more=_levels(20_000)).replace(b"/Kids[3 0 R]", b"/Kids[6 0 R]"),
        "forms of forms": lambda: pdf(
            b"/X Do " * 10, page=b"/XObject<</X 6 0 R>>", more=tuple(_form(b"/X Do " * 10, n) for n in range(7, 17))
        ),
        "letters without end": lambda: pdf(
            zlib.compress(b"BT /F 12 Tf 72 720 Td (" + b"a" * 4_900_000 + b") Tj ET", 9),
            compression=b"/Filter/FlateDecode",
        ),
        "states without end": lambda: pdf(zlib.compress(b"q " * 2_400_000, 9), compression=b"/Filter/FlateDecode"),
        "a bomb in a bomb": lambda: pdf(
            zlib.compress(zlib.compress(bytes(1_000_000_000), 9), 9), compression=b"/Filter[/FlateDecode/FlateDecode]"
        ),
        "a bomb in a bomb, corrupted": lambda: pdf(
            zlib.compress(zlib.compress(bytes(1_000_000_000), 9)[:-9] + b"?", 9),
            compression=b"/Filter[/FlateDecode/FlateDecode]",
        ),
        "a checksum that is wrong": lambda: pdf(
            zlib.compress(_PLAIN + b"%" + random.Random(0).randbytes(1_000_000).hex().encode())[:-1] + b"?",  # noqa: S311
            compression=b"/Filter/FlateDecode",
        ),
        "a bomb of letters' names": lambda: pdf(
            _PLAIN, more=(_packed(bytes(50_000_000)),)
        ).replace(b"/BaseFont", b"/ToUnicode 6 0 R/BaseFont"),
        "a bomb of objects": lambda: pdf(_PLAIN, more=(_packed(bytes(50_000_000), b"/Type/ObjStm/N 1000/First 9"),)),
        "encrypted, no password": lambda: encrypted(_PLAIN, b""),
        "encrypted, a password": lambda: encrypted(_PLAIN, b"secret"),
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
        "a cell of 10 MB": lambda: ("question,answer\nارسال؟," + "سه روز " * 800_000 + "\n").encode(),
        "a quoted cell of 10 MB": lambda: ('question,answer\nارسال؟,"' + "سه\n" * 2_000_000 + '"\n').encode(),
        "10 million rows of one": lambda: b"title\n" + b"a\n" * 9_900_000,
        "5 million rows of no use": lambda: b"title\n" + b"a,b\n" * 4_900_000,
        "UTF-7": lambda: "question,answer\nارسال؟,سه روز\n".encode("utf-7"),
        "full rows of 2,000 columns": lambda: ("title," * 2_000 + "\n" + "1," * 2_000 + "\n").encode() * 3,
    },
    ".jsonl": {
        "records": lambda: '{"id": 1, "text": "متن"}\n{"question": "چند؟", "answer": "سه"}\n'.encode(),
        "deep": lambda: b'{"id": "a", "text": "x", "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a line of 15 MB": lambda: b'{"id": "a", "text": "x", "metadata": {"a": "' + b"b" * 15_000_000 + b'"}}',
        "a line of 19 MB of text": lambda: b'{"id": "a", "text": "' + b"b " * 9_500_000 + b'"}',
        "a line of 50 MB": lambda: b'{"id": "a", "text": "' + b"b" * 50_000_000 + b'"}',
        "marks of two encodings": lambda: b"\xef\xbb\xbf\xff\xfe" + '{"id": "a", "text": "متن"}'.encode("utf-16-le"),
        "100,000 keys": lambda: json.dumps({"id": "a", "text": "x", **{f"k{n}": n for n in range(100_000)}}).encode(),
        "a number without end": lambda: b'{"id": ' + b"9" * 1_000_000 + b', "text": "x"}',
        "100,000 lines of nothing": lambda: b"\n" * 50_000 + b"{}\n" * 20_000,
        "10 million lines of no use": lambda: b"0\n" * 9_900_000,
        "a line 500,000 times": lambda: b'{"id": "a", "text": "x"}\n' * 500_000,
        "keys twice": lambda: b'{"id": "a", "id": 7, "text": "x", "text": null, "text": "y"}',
    },
    ".md": {
        "a page": lambda: "# عنوان\n\n- یک\n- دو\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n".encode(),
        "dashes": lambda: b"|" + b"-" * 100_000 + b"x",
        "headings": lambda: b"# a\n## b\n" * 5_000,
        "100,000 headings": lambda: b"".join(b"%s %d\n\na\n\n" % (b"#" * (n % 6 + 1), n) for n in range(100_000)),
        "100,000 headings alone": lambda: b"# a\n" * 100_000,
        "quotes within quotes": lambda: b"> " * 100_000 + b"a\n" + b"".join(b"> " * n + b"a\n" for n in range(1_000)),
        "lists within lists": lambda: b"".join(b"  " * n + b"- a\n" for n in range(2_000)),
        "a table of 100,000 rows": lambda: b"| a | b |\n| --- | --- |\n" + b"| 1 | 2 |\n" * 100_000,
        "fences": lambda: b"```\n" * 100_001,
    },
    ".txt": {
        "a text": lambda: "سلام. این متن است؛ خوب؟\nبله.".encode(),
        "UTF-16": lambda: "سلام".encode("utf-16"),
        "UTF-16 of two orders": lambda: "سلام".encode("utf-16") + "سلام".encode("utf-16-be"),
        "UTF-16 cut in two": lambda: "😀".encode("utf-16")[:-1],
        "UTF-7": lambda: "سلام".encode("utf-7"),
        "UTF-32": lambda: "سلام".encode("utf-32"),
        "marks of all encodings": lambda: b"\xef\xbb\xbf\xff\xfe\xfe\xff" + "سلام".encode(),
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
