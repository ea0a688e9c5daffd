"""Files and folders, and the order in which everything that is given is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from llama_index.core.schema import Document

from rag_app.conversion import SUFFIXES, Converter
from rag_app.errors import ReadError
from rag_app.readers.converted import read_converted
from rag_app.readers.documents import Read, guarded, skipped
from rag_app.readers.opened import Opened
from rag_app.readers.records import record_document
from rag_app.readers.tables import read_csv
from rag_app.readers.texts import read_jsonl, read_markdown, read_text
from rag_app.schema import Skipped

_MAX_USELESS = 10_000  # rows or lines of a file

Item = Mapping[str, Any] | Document | Path | str
Reader = Callable[[Opened], Iterator[Read]]
"""Yields what is in a file; where nothing of it can be read it may raise ReadError."""

_TEXT_READERS: dict[str, Reader] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".jsonl": read_jsonl,
    ".csv": read_csv,
}


def read(items: Iterable[Item], *, source: str | None = None, max_file_mb: float = 20) -> Iterator[Read]:
    """Yield a document for everything in `items` that can be read, and what was skipped for everything else.

    Args:
        items: records (`{"id", "text", "title", "source", "metadata"}`, or `{"question", "answer"}`), LlamaIndex
            documents, files, or folders, which are read whole but for what is hidden. A file's documents are named by
            its path within the folder given, else by its name.
        source: the source of documents that name none; else the folder that a file lies in.
        max_file_mb: the largest file that is read.
    """
    with Converter() as converter:
        readers: dict[str, Reader] = {**_TEXT_READERS, **dict.fromkeys(SUFFIXES, partial(read_converted, converter))}
        for item in items:
            if isinstance(item, str | Path):
                yield from _read_path(Path(item), source, max_file_mb, readers)
            else:
                yield guarded(partial(record_document, item, source), _origin(item))


def _origin(item: object) -> str:
    if isinstance(item, Document):
        return item.node_id
    if not isinstance(item, Mapping):
        return type(item).__name__
    try:
        return f"{item.get('id') or item.get('_id') or 'record'!s:.200}"
    except (ValueError, RecursionError):  # Python writes no number of more than 4300 digits, and nothing too deep
        return "record"


def _read_path(path: Path, source: str | None, max_file_mb: float, readers: Mapping[str, Reader]) -> Iterator[Read]:
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
        files = sorted((file, name.as_posix()) for file, name in visible if file.is_file() or file.is_symlink())
    else:
        files = [(path, path.name)]
    for file, name in files:
        folder = Path(name).parent.name or file.resolve().parent.name
        try:
            if file != path:
                _refuse_link_elsewhere(file, path)
            reader = readers.get(file.suffix.lower())
            if reader is None:
                kind = f"{file.suffix} files" if file.suffix else "files without a suffix"
                raise ReadError(f"{kind} are not read; valid: {', '.join(sorted(readers))}")
            content = _content(file, max_file_mb)
            opened = Opened(content, name, source or folder or "documents", str(file), max_file_mb)
            yield from _while_of_use(reader(opened), str(file))
        except ReadError as error:
            yield skipped(str(file), str(error))


def _while_of_use(found: Iterator[Read], origin: str) -> Iterator[Read]:
    """Yield what is found in a file, until so much of it can not be used that the notes alone would fill the memory."""
    ids: set[str] = set()
    useless = 0
    for entry in found:
        yield entry
        if isinstance(entry, Skipped) or entry.node_id in ids:
            useless += 1
        else:
            ids.add(entry.node_id)
        if useless == _MAX_USELESS:
            yield skipped(
                origin, f"{_MAX_USELESS:,} of its rows or lines can not be used, or repeat others; the rest is not read"
            )
            return


def _refuse_link_elsewhere(file: Path, folder: Path) -> None:
    """Raise ReadError for a link in a folder that leads to another folder or out of the one that was given."""
    if not file.is_symlink():
        return
    if not file.is_file():
        raise ReadError("the link leads to no file; links to folders are not followed")
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ReadError("the link leads out of the folder that was given; give the file itself, or put a copy there")


def _content(file: Path, max_file_mb: float) -> bytes:
    try:
        if not file.is_file():
            raise ReadError("it is no regular file")
        megabytes = file.stat().st_size / 1e6
        if megabytes > max_file_mb:
            raise ReadError(f"the file has {megabytes:.1f} MB; the limit is {max_file_mb:g} (ingestion.max_file_mb)")
        return file.read_bytes()
    except OSError as error:
        raise ReadError(f"the file can not be read: {error.strerror}") from error
