"""Records, given as dicts or read from JSONL: documents, and question-answer pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import Document

from rag_app.errors import ReadError
from rag_app.readers.columns import (
    ANSWER_NAMES,
    CODE_NAMES,
    ID_NAMES,
    QUESTION_NAMES,
    TEXT_NAMES,
    TITLE_NAMES,
    column_of,
    plain,
)
from rag_app.readers.documents import make_document, named_by

_PAIR_NAMES = {*QUESTION_NAMES, *ANSWER_NAMES}
_RECORD_NAMES = {"id", "_id", "title", "text", "source", "metadata"}


def record_document(item: object, source: str | None, name: str = "faq") -> Document:
    """Return a record or a LlamaIndex document as a document to be ingested.

    A record with a question or an answer and without a text is a question-answer pair. One without a text that has a
    title by any of its names, such as «نام کالا», is read as a row of a table is.

    Args:
        item: the record or document.
        source: the source of one that names none; else "documents".
        name: what pairs without an id are named by: the file they are from.

    Raises:
        InvalidInputError: it can not be used.
    """
    if isinstance(item, Document):
        metadata = item.metadata
        title = _string(metadata.get("title"))
        return make_document(item.node_id, item.text, _source(metadata, source), title, metadata)
    if not isinstance(item, Mapping):
        raise ReadError(f"a document is a dict, a path or a Document, not {type(item).__name__}")
    doc_id = _first(item, ("id", "_id"))
    title, named_source = _string(item.get("title")), _source(item, source)
    if item.get("text") is None and not _PAIR_NAMES.isdisjoint(item):
        question, answer = (_string(_first(item, names)) for names in (QUESTION_NAMES, ANSWER_NAMES))
        metadata = _metadata(item, _RECORD_NAMES | _PAIR_NAMES)
        pair_id = _string(doc_id) if doc_id is not None else named_by(name, str(question).strip())
        return pair_document(pair_id, question, answer, named_source, title, metadata)
    if item.get("text") is None and (title_name := _column(item, TITLE_NAMES)) is not None:
        return _row_document(item, title_name, named_source, name)
    if doc_id is None:
        raise ReadError("the record has no id")
    text = "" if item.get("text") is None else item["text"]
    return make_document(_string(doc_id), text, named_source, title, _metadata(item, _RECORD_NAMES))


def pair_document(
    doc_id: str, question: str, answer: str, source: str, title: str, metadata: Mapping[str, Any]
) -> Document:
    """Return a question-answer pair as a document; its title is the question unless it has one of its own.

    Raises:
        InvalidInputError: the question or the answer is missing, or a part of the pair can not be used.
    """
    for what, value in (("question", question), ("answer", answer)):
        if not isinstance(value, str):
            raise ReadError(f"the {what} must be a string, not {type(value).__name__}")
        if not value.strip():
            raise ReadError(f"the pair has no {what}")
    question = question.strip()
    own_title = {"question": question} if title and title != question else {}
    text = f"{question}\n{answer.strip()}"
    return make_document(doc_id, text, source, title or question, {**metadata, **own_title}, kind="faq")


def _row_document(item: Mapping[str, Any], title_name: str, source: Any, name: str) -> Document:
    """Return a record as a document like one of a row: named by its id, code or title, its other fields shown."""
    id_name, code_name, text_name = (_column(item, names) for names in (ID_NAMES, CODE_NAMES, TEXT_NAMES))
    title = _string(item[title_name])
    if id_name is not None or "_id" in item:
        doc_id = _string(item[id_name or "_id"])
    else:
        doc_id = f"{name}#{item[code_name]}" if code_name is not None else named_by(name, str(title))
    text = item[text_name] if text_name is not None else title
    metadata = _metadata(item, _RECORD_NAMES | {title_name, *filter(None, (id_name, text_name))})
    return make_document(doc_id, text, source, title, {"kind": "record", **metadata})


def _column(item: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the field of the record, of those that are not empty, that goes by one of these names."""
    filled = [name for name, value in item.items() if value is not None and not (isinstance(value, str) and not value)]
    return column_of({plain(name): name for name in filled if isinstance(name, str)}, names)


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _string(value: Any) -> Any:
    """Return a whole number as a string, nothing as an empty one, and anything else as it is."""
    if value is None:
        return ""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return str(value)
    except ValueError as error:  # of more than 4300 digits
        raise ReadError("an id, title, source, question or answer is a number of thousands of digits") from error


def _source(item: Mapping[str, Any], source: str | None) -> Any:
    return _string(item.get("source")) or source or "documents"


def _metadata(item: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    metadata = {} if item.get("metadata") is None else item["metadata"]
    if not isinstance(metadata, Mapping):
        raise ReadError(f"metadata must be an object, not {type(metadata).__name__}")
    return {**metadata, **{name: value for name, value in item.items() if name not in known}}
