"""Web pages to Markdown."""

from __future__ import annotations

import codecs

from bs4.dammit import EncodingDetector

from rag_app.conversion.formats import Converted
from rag_app.conversion.markup import markdown_of
from rag_app.errors import ReadError

_DECLARING = 100_000  # bytes; a charset is looked for in a twentieth of them, in time that grows with their square
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def convert(content: bytes, max_bytes: int) -> Converted:
    """Return a page's title and its text as Markdown.

    Raises:
        ReadError: its characters can not be decoded, it has too many elements, or they are nested too deep.
    """
    return markdown_of(_decoded(content))


def _decoded(content: bytes) -> str:
    """Return the page as text: by its byte-order mark, as UTF-8 if it is that, else by the charset it declares.

    Bytes above 127 that are UTF-8 by chance are next to impossible; pages that declare what they are not are common.
    """
    marked = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), None)
    declared = EncodingDetector.find_declared_encoding(content[:_DECLARING], is_html=True)
    for encoding in (marked,) if marked else ("utf-8", declared):
        if encoding is None:
            raise ReadError(f"{_not_decoded(content, 'utf-8')}, and the page declares no charset")
        try:
            text = content.decode(encoding)
            break
        except LookupError as error:
            raise ReadError(f"the page declares the charset {encoding!r}, which is not known") from error
        except UnicodeDecodeError:
            continue
    else:
        raise ReadError(_not_decoded(content, marked or declared or "utf-8"))
    if "\0" in text:
        raise ReadError(f"the file is binary: it holds a NUL at {text.index(chr(0))}")
    return text


def _not_decoded(content: bytes, encoding: str) -> str:
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        return f"the file is not {encoding.upper()}: byte {error.start} is {content[error.start]:#04x}"
    return f"the file is not {encoding.upper()}"
