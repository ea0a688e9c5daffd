"""Word documents to Markdown, by way of HTML."""

from __future__ import annotations

import io
import zipfile

import mammoth
from lxml import etree

from rag_app.conversion.formats import EXPANSION, Converted
from rag_app.conversion.markup import markdown_of
from rag_app.errors import ReadError

_ENCRYPTED = b"\xd0\xcf\x11\xe0"  # what Office wraps an encrypted document in, and what a .doc begins with
_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh"


def convert(content: bytes, max_bytes: int) -> Converted:
    """Return a document's title, of its properties or its first heading, and its text as Markdown.

    Raises:
        ReadError: it is no Word document, is encrypted, or unpacks to more than `max_bytes`.
    """
    if content.startswith(_ENCRYPTED):
        raise ReadError("the document is encrypted or of the old .doc format; save it as .docx without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > max_bytes:
                raise ReadError(
                    f"the document unpacks to {unpacked / 1e6:.1f} MB; the limit is {max_bytes / 1e6:g} "
                    f"(ingestion.max_file_mb × {EXPANSION})"
                )
            title = _title(archive)
    except zipfile.BadZipFile as error:
        raise ReadError(f"the file is no Word document: {error}") from error
    images = mammoth.images.img_element(lambda image: {})  # their descriptions alone
    html = mammoth.convert_to_html(io.BytesIO(content), style_map=_STYLES, convert_image=images).value
    return markdown_of(html, title)


def _title(archive: zipfile.ZipFile) -> str:
    if "docProps/core.xml" not in archive.namelist():
        return ""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    properties = etree.fromstring(archive.read("docProps/core.xml"), parser)
    return "" if properties is None else properties.findtext("{http://purl.org/dc/elements/1.1/}title") or ""
