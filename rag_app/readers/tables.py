"""CSV files: each row a question-answer pair, or a record such as a product."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from textwrap import shorten

from llama_index.core.schema import Document

from rag_app.errors import ReadError
from rag_app.readers.columns import (
    ANSWER_NAMES,
    CODE_NAMES,
    ID_NAMES,
    QUESTION_NAMES,
    SOURCE_NAMES,
    TEXT_NAMES,
    TITLE_NAMES,
    column_of,
    plain,
)
from rag_app.readers.documents import Read, guarded, make_document, named_by, skipped
from rag_app.readers.opened import Opened
from rag_app.readers.records import pair_document

_LONG_CELL = 200  # characters from which a cell is text to read rather than a field
_SHOWN = 300  # characters of a note that lists columns

Row = Mapping[str, str]
"""A row's cells by the names in the first line; those that a short row leaves out are empty."""


def read_csv(file: Opened) -> Iterator[Read]:
    """Yield a document for each row of a CSV file, and what was skipped for each row that can not be one.

    Its documents' ids begin with the file's name.
    """
    text, origin = file.text(), file.origin
    lines = _Lines(text)
    rows = csv.reader(lines, delimiter=_delimiter(text))
    try:
        names = next(filter(None, rows), [])
    except csv.Error as error:
        yield skipped(origin, f"the first line is not CSV: {error}")
        return
    columns = {plain(name): name for name in names}
    make = _row_reader(columns)
    if make is None:
        found = shorten(", ".join(columns) or "none", _SHOWN, placeholder="…")
        yield skipped(
            origin,
            "a CSV file needs the columns question and answer (or پرسش and پاسخ), or a column title or name (or عنوان, "
            f"نام) for records; found: {found}",
        )
        return
    while True:
        lines.quotes = 0
        try:
            cells = next(filter(None, rows), None)
        except csv.Error as error:
            yield skipped(f"{origin}:{lines.number}", f"the row is not CSV: {error}")
            lines.end_row()
            continue
        if cells is None:
            return
        yield guarded(partial(_checked, make, names, cells, file.name, file.source), f"{origin}:{lines.number}")


def _delimiter(text: str) -> str:
    """Return what stands between the cells of the first line: a comma; where there is none a semicolon or a tab."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return next((mark for mark in ",;\t" if mark in first), ",")


class _Lines:
    """A text's lines, with the number of the last and how many quotes there were since they were counted from 0."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text)
        self.number = self.quotes = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self.quotes += line.count('"')
        return line

    def end_row(self) -> None:
        """Pass over what is left of a row that could not be read: a cell in quotes may have many lines."""
        while self.quotes % 2 and next(self, None) is not None:
            pass


RowReader = Callable[[Row, str, str], Document]


def _row_reader(columns: Mapping[str, str]) -> RowReader | None:
    """Return what makes a document of a row with these columns, or None if nothing does."""
    question, answer = column_of(columns, QUESTION_NAMES), column_of(columns, ANSWER_NAMES)
    title = column_of(columns, TITLE_NAMES)
    if question is not None and answer is not None:
        return partial(_pair, question, answer)
    if title is not None and question is None and answer is None:
        return partial(_record, columns, title)
    return None


def _checked(make: RowReader, names: Sequence[str], cells: Sequence[str], name: str, source: str) -> Document:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise ReadError("the row has more cells than there are columns; put quotes around cells that hold commas")
    held = zip(names, map(str.strip, cells), strict=False)  # no more than the row has, however many columns there are
    return make(defaultdict(str, held), name, source)


def _pair(question: str, answer: str, row: Row, name: str, source: str) -> Document:
    return pair_document(named_by(name, row[question]), row[question], row[answer], source, "", {})


def _record(columns: Mapping[str, str], title: str, row: Row, name: str, source: str) -> Document:
    """Return the row as a record; short cells are its fields, long ones belong to its text."""
    if not row[title]:
        raise ReadError(f"the row has no {title.strip()}")
    number, text, own_source = (column_of(columns, names) for names in (ID_NAMES, TEXT_NAMES, SOURCE_NAMES))
    code = number or column_of(columns, CODE_NAMES)
    doc_id = f"{name}#{row[code]}" if code and row[code] else named_by(name, row[title])
    known = {number, title, text, own_source}
    others = {column.strip(): cell for column, cell in row.items() if column not in known and column.strip() and cell}
    long = [f"{column}: {cell}" for column, cell in others.items() if len(cell) > _LONG_CELL]
    fields = {column: cell for column, cell in others.items() if len(cell) <= _LONG_CELL}
    body = "\n\n".join(filter(None, [row[text] if text else "", *long])) or row[title]
    return make_document(doc_id, body, (own_source and row[own_source]) or source, row[title], fields, kind="record")
