"""Files that are converted to Markdown first: web pages, Word and PDF documents."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from rag_app.conversion import Converter
from rag_app.readers.documents import Read, guarded, make_document, skipped
from rag_app.readers.opened import Opened


def read_converted(converter: Converter, file: Opened) -> Iterator[Read]:
    """Yield the file as a document, whose title is its own, else its name, and what of it was left out.

    Raises:
        ReadError: it can not be converted.
    """
    converted = converter.convert(file.suffix, file.content, max_mb=file.max_mb)
    title = converted.title or file.stem
    yield guarded(partial(make_document, file.name, converted.text, file.source, title, {}), file.origin)
    for reason in converted.left_out:
        yield skipped(file.origin, reason)
