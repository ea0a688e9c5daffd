"""Files of plain text, Markdown, and JSON records on lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from llama_index.core.schema import Document

from rag_app.errors import ReadError
from rag_app.readers.documents import Read, guarded, make_document
from rag_app.readers.opened import Opened
from rag_app.readers.records import record_document


def read_text(file: Opened) -> Iterator[Read]:
    """Yield the file as a document; its title is its name."""
    text = file.text()
    yield guarded(partial(make_document, file.name, text, file.source, file.stem, {}), file.origin)


def read_markdown(file: Opened) -> Iterator[Read]:
    """Yield the file as a document; its title is the heading that it begins with, else its name."""
    text = file.text()
    first = next((line for line in text.splitlines() if line.strip()), "")
    heading = first.removeprefix("# ").strip() if first.startswith("# ") else ""
    yield guarded(partial(make_document, file.name, text, file.source, heading or file.stem, {}), file.origin)


def read_jsonl(file: Opened) -> Iterator[Read]:
    """Yield a document for each line, and what was skipped for each line that can not be one."""
    for number, line in enumerate(file.text().split("\n"), start=1):  # JSON strings may hold other line separators
        if line.strip():
            yield guarded(partial(_json_record, line, file.source, file.name), f"{file.origin}:{number}")


def _json_record(line: str, source: str, name: str) -> Document:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"the line is not JSON: {error}") from error
    return record_document(record, source, name)
