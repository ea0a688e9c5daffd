"""Files and folders, and the order in which everything that is given is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from llama_index.core.schema import Document

from rag_app.errors import ReadError
from rag_app.readers.documents import Read, guarded, make_document, skipped
from rag_app.readers.records import record_document
from rag_app.readers.tables import read_csv

Item = Mapping[str, Any] | Document | Path | str


def read(items: Iterable[Item], *, source: str | None = None, max_file_mb: float = 20) -> Iterator[Read]:
    """Yield a document for everything in `items` that can be read, and what was skipped for everything else.

    Args:
        items: records (`{"id", "text", "title", "source", "metadata"}`, or `{"question", "answer"}`), LlamaIndex
            documents, files, or folders, which are read whole but for what is hidden. A file's documents are named by
            its path within the folder given, else by its name.
        source: the source of documents that name none; else the folder that a file lies in.
        max_file_mb: the largest file that is read.
    """
    for item in items:
        if isinstance(item, str | Path):
            yield from _read_path(Path(item), source, max_file_mb)
        else:
            yield guarded(partial(record_document, item, source), _origin(item))


def _origin(item: object) -> str:
    if isinstance(item, Document):
        return item.node_id
    return str(item.get("id") or item.get("_id") or "record") if isinstance(item, Mapping) else type(item).__name__


def _read_path(path: Path, source: str | None, max_file_mb: float) -> Iterator[Read]:
    try:
        if not path.exists():
            yield skipped(str(path), "there is no such file or folder")
            return
    except OSError as error:  # a text, given as a path, is too long for a name
        yield skipped(f"{str(path)[:80]}…", f"the path can not be used: {error.strerror}")
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
            yield skipped(str(file), str(error))
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


def _read_text(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    yield guarded(partial(make_document, name, text, source, _stem(name), {}), origin)


def _stem(name: str) -> str:
    return Path(name).stem.replace("-", " ")


def _read_markdown(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    heading = first.removeprefix("# ").strip() if first.startswith("# ") else ""
    yield guarded(partial(make_document, name, text, source, heading or _stem(name), {}), origin)


def _read_jsonl(text: str, name: str, source: str, origin: str) -> Iterator[Read]:
    for number, line in enumerate(text.split("\n"), start=1):  # JSON strings may hold other line separators
        if line.strip():
            yield guarded(partial(_json_record, line, source, name), f"{origin}:{number}")


def _json_record(line: str, source: str, name: str) -> Document:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"the line is not JSON: {error}") from error
    return record_document(record, source, name)


_READERS: dict[str, Callable[[str, str, str, str], Iterator[Read]]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".jsonl": _read_jsonl,
    ".csv": read_csv,
}
