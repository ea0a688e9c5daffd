"""Making a document of what was read, or a note of why it can not be one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from llama_index.core.schema import Document

from rag_app.errors import InvalidInputError, ReadError
from rag_app.schema import Skipped, checked_name

MAX_METADATA_CHARS = 50_000
MAX_FIELDS = 1000

Read = Document | Skipped

_UNSTORABLE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000|[\ud800-\udfff]")  # in JSON: a NUL or a lone surrogate


def guarded(make: Callable[[], Document], origin: str) -> Read:
    """Return the document that `make` makes, or the note that it can not be made."""
    try:
        return make()
    except InvalidInputError as error:
        return skipped(origin, str(error))


def skipped(origin: str, reason: str) -> Skipped:
    """Return the note with what no terminal prints, as in a file's name of an old encoding, written out."""
    return Skipped(*(part.encode("utf-8", "backslashreplace").decode() for part in (origin, reason)))


def named_by(name: str, text: str) -> str:
    """Return an id for what has none: by a text of its own, so that rows may be inserted and moved."""
    return f"{name}#{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def make_document(
    doc_id: str, text: str, source: str, title: str, metadata: Mapping[str, Any], **kind: str
) -> Document:
    """Return the document.

    Raises:
        InvalidInputError: a part of it is missing, of a wrong type, or can not be stored.
    """
    checked_name("document id", doc_id)
    checked_name("source", source)
    for name, value in (("text", text), ("title", title)):
        if not isinstance(value, str):
            raise ReadError(f"the {name} must be a string, not {type(value).__name__}")
    if not text.strip():
        raise ReadError("the document has no text")
    _as_json("text", text)
    named = _as_json("title", title)
    held = _as_json("metadata", {**metadata, **kind, "doc_id": doc_id, "source": source})
    if len(metadata) > MAX_FIELDS:
        raise ReadError(f"the metadata has {len(metadata)} fields; the limit is {MAX_FIELDS}")
    if (size := len(named) + len(held)) > MAX_METADATA_CHARS:  # each chunk of the document has a copy
        raise ReadError(f"the title and the metadata have {size} characters as JSON; the limit is {MAX_METADATA_CHARS}")
    return Document(id_=doc_id, text=text, metadata={**json.loads(held), "title": title})


def _as_json(name: str, value: Any) -> str:
    """Return `value` as the database will give it back, in JSON, or say why it can not be stored."""
    try:
        stored = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ReadError(f"the {name} can not be stored as JSON: {error}") from error
    if _UNSTORABLE.search(stored):
        raise ReadError(f"the {name} holds NUL characters or lone surrogates, which no database stores")
    return stored
