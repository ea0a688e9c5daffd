"""Files and records to LlamaIndex documents: text, Markdown, JSONL and question-answer CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from llama_index.core.schema import Document

from rag_app.errors import InvalidInputError, ReadError
from rag_app.schema import Skipped, checked_name

Item = Mapping[str, Any] | Document | Path | str
Read = Document | Skipped

_QUESTION_COLUMNS = ("question", "پرسش", "سوال", "سؤال")
_ANSWER_COLUMNS = ("answer", "پاسخ", "جواب")
_RECORD_KEYS = {"id", "_id", "title", "text", "source", "metadata"}


def read(items: Iterable[Item], *, source: str | None = None, max_file_mb: float = 20) -> Iterator[Read]:
    """Yield a document for everything in `items` that can be read, and what was skipped for everything else.

    Args:
        items: records (`{"id", "text", "title", "source", "metadata"}`), LlamaIndex documents, files, or folders, which
            are read whole. A file's documents are named by its path within the folder given, else by its name.
        source: the source of documents that name none; else the folder that a file lies in.
        max_file_mb: the largest file that is read.
    """
    for item in items:
        if isinstance(item, str | Path):
            yield from _read_path(Path(item), source, max_file_mb)
        else:
            yield _guarded(partial(_record, item, source), _origin(item))


def _origin(item: object) -> str:
    if isinstance(item, Document):
        return item.node_id
    return str(item.get("id") or item.get("_id") or "record") if isinstance(item, Mapping) else type(item).__name__


def _guarded(make: Callable[[], Document], origin: str) -> Read:
    try:
        return make()
    except InvalidInputError as error:
        return Skipped(origin, str(error))


def _read_path(path: Path, source: str | None, max_file_mb: float) -> Iterator[Read]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        names = [file.relative_to(path).as_posix() for file in files]
    else:
        files, names = [path], [path.name]
    for file, name in zip(files, names, strict=True):
        try:
            reader = _READERS.get(file.suffix.lower())
            if reader is None:
                raise ReadError(f"{file.suffix or 'no'} files are not read; valid: {', '.join(sorted(_READERS))}")
            text = _text(file, max_file_mb)
        except ReadError as error:
            yield Skipped(str(file), str(error))
        else:
            folder = Path(name).parent.name or file.resolve().parent.name
            yield from reader(text, name, source or folder or "documents", str(file))


def _text(file: Path, max_file_mb: float) -> str:
    try:
        megabytes = file.stat().st_size / 1e6
        if megabytes > max_file_mb:
            raise ReadError(f"the file has {megabytes:.1f} MB; the limit is {max_file_mb:g} (ingestion.max_file_mb)")
        content = file.read_bytes()
    except OSError as error:
        raise ReadError(f"the file can not be read: {error.strerror}") from error
    if b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReadError(f"the file is binary: it holds a NUL byte at {content.index(0)}")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"the file is not {error.encoding.upper()}: byte {error.start} is {content[error.start]:#04x}. If it was "
            "saved by an old Windows editor: iconv -f WINDOWS-1256 -t UTF-8"
        ) from error


def _document(doc_id: str, text: str, source: str, title: str, metadata: Mapping[str, Any], **kind: str) -> Document:
    checked_name("document id", doc_id)
    checked_name("source", source)
    if not isinstance(text, str) or not text.strip():
        raise ReadError("the document has no text")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ReadError("the text holds NUL characters or lone surrogates, which no database stores")
    return Document(
        id_=doc_id, text=text, metadata={**metadata, **kind, "doc_id": doc_id, "source": source, "title": title}
    )


def _record(item: object, source: str | None) -> Document:
    if isinstance(item, Document):
        metadata = item.metadata
        named = metadata.get("source") or source or "documents"
        return _document(item.node_id, item.text, named, str(metadata.get("title", "")), metadata)
    if not isinstance(item, Mapping):
        raise ReadError(f"a document is a dict, a path or a Document, not {type(item).__name__}")
    doc_id = item.get("id", item.get("_id"))
    if doc_id is None:
        raise ReadError("the record has no id")
    metadata = item.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise ReadError(f"metadata must be an object, not {type(metadata).__name__}")
    extra = {key: value for key, value in item.items() if key not in _RECORD_KEYS}
    return _document(
        str(doc_id) if isinstance(doc_id, int) else doc_id,
        item.get("text") or "",
        item.get("source") or source or "documents",
        str(item.get("title") or ""),
        {**metadata, **extra},
    )


def _read_text(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    yield _guarded(partial(_document, name, text, source, _stem(name), {}), origin)


def _stem(name: str) -> str:
    return Path(name).stem.replace("-", " ")


def _read_markdown(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    title = first.lstrip("# ").strip() if first.startswith("# ") else _stem(name)
    yield _guarded(partial(_document, name, text, source, title, {}), origin)


def _read_jsonl(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _guarded(partial(_json_record, line, source), f"{origin}:{number}")


def _json_record(line: str, source: str) -> Document:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"the line is not JSON: {error}") from error
    return _record(record, source)


def _read_faq(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    rows = csv.DictReader(io.StringIO(text))
    columns = {(column or "").strip().lower(): column for column in rows.fieldnames or ()}
    question = next((columns[column] for column in _QUESTION_COLUMNS if column in columns), None)
    answer = next((columns[column] for column in _ANSWER_COLUMNS if column in columns), None)
    if question is None or answer is None:
        found = ", ".join(columns) or "none"
        yield Skipped(origin, f"a FAQ file needs the columns question and answer (or پرسش and پاسخ); found: {found}")
        return
    try:
        for row in rows:
            asked, answered = (row.get(question) or "").strip(), (row.get(answer) or "").strip()
            yield _guarded(partial(_faq_pair, asked, answered, name, source), f"{origin}:{rows.line_num}")
    except csv.Error as error:
        yield Skipped(f"{origin}:{rows.line_num}", f"the line is not CSV: {error}")


def _faq_pair(question: str, answer: str, name: str, source: str) -> Document:
    if not question or not answer:
        raise ReadError(f"the row has no {'answer' if question else 'question'}")
    # The question names the pair, so that rows may be inserted and moved.
    doc_id = f"{name}#{hashlib.sha256(question.encode()).hexdigest()[:12]}"
    return _document(doc_id, f"{question}\n{answer}", source, question, {}, kind="faq")


_READERS: dict[str, Callable[[str, str, str, str], Iterator[Read]]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".jsonl": _read_jsonl,
    ".csv": _read_faq,
}
