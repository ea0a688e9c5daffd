"""Files and records to LlamaIndex documents: text, Markdown, JSONL and question-answer CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
_UNSTORABLE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000|[\ud800-\udfff]")  # in JSON: a NUL or a lone surrogate


def read(items: Iterable[Item], *, source: str | None = None, max_file_mb: float = 20) -> Iterator[Read]:
    """Yield a document for everything in `items` that can be read, and what was skipped for everything else.

    Args:
        items: records (`{"id", "text", "title", "source", "metadata"}`), LlamaIndex documents, files, or folders, which
            are read whole but for what is hidden. A file's documents are named by its path within the folder given,
            else by its name.
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
        return _skipped(origin, str(error))


def _skipped(origin: str, reason: str) -> Skipped:
    """Return the note with what no terminal prints, as in a file's name of an old encoding, written out."""
    return Skipped(*(part.encode("utf-8", "backslashreplace").decode() for part in (origin, reason)))


def _read_path(path: Path, source: str | None, max_file_mb: float) -> Iterator[Read]:
    try:
        if not path.exists():
            yield _skipped(str(path), "there is no such file or folder")
            return
    except OSError as error:  # a text, given as a path, is too long for a name
        yield _skipped(f"{str(path)[:80]}…", f"the path can not be used: {error.strerror}")
        return
    if path.is_dir():
        found = ((file, file.relative_to(path)) for file in path.rglob("*"))
        visible = [(file, name) for file, name in found if not any(part.startswith(".") for part in name.parts)]
        files = sorted((file, name.as_posix()) for file, name in visible if file.is_file())
    else:
        files = [(path, path.name)]
    for file, name in files:
        try:
            reader = _READERS.get(file.suffix.lower())
            if reader is None:
                kind = f"{file.suffix} files" if file.suffix else "files without a suffix"
                raise ReadError(f"{kind} are not read; valid: {', '.join(sorted(_READERS))}")
            text = _text(file, max_file_mb)
        except ReadError as error:
            yield _skipped(str(file), str(error))
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
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    if b"\0" in content and encoding == "utf-8":
        raise ReadError(f"the file is binary: it holds a NUL byte at {content.index(0)}")
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        hint = (
            ". If it was saved by an old Windows editor: iconv -f WINDOWS-1256 -t UTF-8" if encoding == "utf-8" else ""
        )
        raise ReadError(
            f"the file is not {encoding.upper()}: byte {error.start} is {content[error.start]:#04x}{hint}"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _document(doc_id: str, text: str, source: str, title: str, metadata: Mapping[str, Any], **kind: str) -> Document:
    checked_name("document id", doc_id)
    checked_name("source", source)
    for name, value in (("text", text), ("title", title)):
        if not isinstance(value, str):
            raise ReadError(f"the {name} must be a string, not {type(value).__name__}")
    if not text.strip():
        raise ReadError("the document has no text")
    return Document(
        id_=doc_id,
        text=_storable("text", text),
        metadata={
            **_storable("metadata", dict(metadata)),
            **kind,
            "doc_id": doc_id,
            "source": source,
            "title": _storable("title", title),
        },
    )


def _storable(name: str, value: Any) -> Any:
    """Return `value` as it will come back from the database, or say why it can not be stored."""
    try:
        stored = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ReadError(f"the {name} can not be stored as JSON: {error}") from error
    if _UNSTORABLE.search(stored):
        raise ReadError(f"the {name} holds NUL characters or lone surrogates, which no database stores")
    return json.loads(stored)


def _string(value: Any) -> Any:
    """Return a whole number as a string, nothing as an empty one, and anything else as it is."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _record(item: object, source: str | None) -> Document:
    if isinstance(item, Document):
        metadata = item.metadata
        named = _string(metadata.get("source")) or source or "documents"
        return _document(item.node_id, item.text, named, _string(metadata.get("title")), metadata)
    if not isinstance(item, Mapping):
        raise ReadError(f"a document is a dict, a path or a Document, not {type(item).__name__}")
    doc_id = next((item[key] for key in ("id", "_id") if item.get(key) is not None), None)
    if doc_id is None:
        raise ReadError("the record has no id")
    metadata = {} if item.get("metadata") is None else item["metadata"]
    if not isinstance(metadata, Mapping):
        raise ReadError(f"metadata must be an object, not {type(metadata).__name__}")
    extra = {key: value for key, value in item.items() if key not in _RECORD_KEYS}
    return _document(
        _string(doc_id),
        "" if item.get("text") is None else item["text"],
        _string(item.get("source")) or source or "documents",
        _string(item.get("title")),
        {**metadata, **extra},
    )


def _read_text(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    yield _guarded(partial(_document, name, text, source, _stem(name), {}), origin)


def _stem(name: str) -> str:
    return Path(name).stem.replace("-", " ")


def _read_markdown(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    heading = first.removeprefix("# ").strip() if first.startswith("# ") else ""
    yield _guarded(partial(_document, name, text, source, heading or _stem(name), {}), origin)


def _read_jsonl(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    for number, line in enumerate(text.split("\n"), start=1):  # JSON strings may hold other line separators
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
    try:
        columns = {(column or "").strip().lower(): column for column in rows.fieldnames or ()}
    except csv.Error as error:
        yield _skipped(origin, f"the first line is not CSV: {error}")
        return
    question = next((columns[column] for column in _QUESTION_COLUMNS if column in columns), None)
    answer = next((columns[column] for column in _ANSWER_COLUMNS if column in columns), None)
    if question is None or answer is None:
        found = ", ".join(columns) or "none"
        yield _skipped(origin, f"a FAQ file needs the columns question and answer (or پرسش and پاسخ); found: {found}")
        return
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield _skipped(f"{origin}:{rows.reader.line_num}", f"the line is not CSV: {error}")
            continue
        if row is None:
            return
        asked, answered, surplus = row.get(question), row.get(answer), row.get(None)
        make = partial(_faq_pair, (asked or "").strip(), (answered or "").strip(), surplus or (), name, source)
        yield _guarded(make, f"{origin}:{rows.line_num}")


def _faq_pair(question: str, answer: str, surplus: Sequence[str], name: str, source: str) -> Document:
    if any(cell.strip() for cell in surplus):
        raise ReadError("the row has more cells than there are columns; put quotes around cells that hold commas")
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
