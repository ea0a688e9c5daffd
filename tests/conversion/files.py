"""Small files to convert, made here so that a test shows what is in them."""

import io
import zipfile
import zlib
from pathlib import Path

DATA = Path(__file__).parent / "data"
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def paragraph(text: str, style: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}<w:bidi/></w:pPr><w:r><w:rPr><w:rtl/></w:rPr><w:t>{text}</w:t></w:r></w:p>"


def docx(body: str = "", title: str = "", before: str = "", extra: bytes = b"") -> bytes:
    """A Word document of a body of WordprocessingML."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONSHIPS)
        document = f'{before}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", document)
        if title:
            named = f'<dc:title xmlns:dc="http://purl.org/dc/elements/1.1/">{title}</dc:title>'
            archive.writestr("docProps/core.xml", f"<core>{named}</core>")
        if extra:
            archive.writestr("word/media/extra.bin", extra)
    return held.getvalue()


def pdf(drawing: bytes = b"", *, compression: bytes = b"", count: int = 1, title: bytes = b"") -> bytes:
    """A PDF of one page with a drawing in the page description language."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count %d>>" % count,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(drawing), compression, drawing),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Title(%s)>>" % title,
    ]
    numbered = b"".join(b"%d 0 obj\n%s\nendobj\n" % pair for pair in enumerate(objects, start=1))
    return b"%PDF-1.4\n" + numbered + b"trailer<</Root 1 0 R/Info 6 0 R/Size 7>>\n%%EOF"


def pdf_of_pages(*drawings: bytes) -> bytes:
    """A PDF whose pages draw these; X is a form, of which each of ten levels draws the next ten times."""
    compress = b"<</Filter/FlateDecode/Length %d%s>>stream\n%s\nendstream"
    first, count = 4, len(drawings)
    forms = first + 2 * count
    names = b"/Resources<</Font<</F 3 0 R>>/XObject<</X %d 0 R>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R" + names % forms + b">>"
    kids = b" ".join(b"%d 0 R" % (first + 2 * index) for index in range(count))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count)]
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
    for index, drawing in enumerate(drawings):
        packed = zlib.compress(drawing, 9)
        objects += [page % (first + 2 * index + 1), compress % (len(packed), b"", packed)]
    for level in range(10):
        entries = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]" + names % (forms + level + 1)
        packed = zlib.compress(b"/X Do " * 10)
        objects.append(compress % (len(packed), entries, packed))
    numbered = b"".join(b"%d 0 obj\n%s\nendobj\n" % pair for pair in enumerate(objects, start=1))
    return b"%PDF-1.4\n" + numbered + b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF" % (len(objects) + 1)
