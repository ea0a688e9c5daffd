"""Test collections in the format of BEIR (Thakur et al. 2021): documents, queries, and which documents answer them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rag_app.errors import InvalidInputError, ReadError
from rag_app.schema import checked_name

_FILES = ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv")
_HEADER = ["query-id", "corpus-id", "score"]
_DOCUMENT = '{"_id": "d1", "title": "...", "text": "...", "metadata": {"source": "manual"}}'
_QUERY = '{"_id": "q1", "text": "...", "metadata": {"way": "misspelt", "answers": ["..."]}}'
_JUDGEMENT = "q1<TAB>d1<TAB>1"
_Entry = TypeVar("_Entry")


class _Query(NamedTuple):
    text: str
    way: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class BeirDataset:
    """A test collection.

    Attributes:
        corpus: the documents by id, as records that `RagApp.ingest` takes.
        queries: the texts of the queries by id.
        qrels: by query id, the grades of the judged documents by id; 1 and above is relevant.
        ways: by query id, the way it is written, for queries that say so.
        answers: by query id, texts of which the context should hold one, for queries that name any.

    Raises:
        InvalidInputError: no query has a judged document.
    """

    corpus: Mapping[str, Mapping[str, Any]]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    ways: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not any(doc_id in self.corpus for query_id in self.judged for doc_id in self.qrels[query_id]):
            raise InvalidInputError(
                f"no query has a judged document: {len(self.queries)} queries, {len(self.corpus)} documents and the "
                f"judgements of {len(self.qrels)} queries share no ids"
            )

    @cached_property
    def tenant(self) -> str:
        """The tenant that the corpus is ingested as; its name follows from the documents."""
        digest = hashlib.sha256()
        for record in self.corpus.values():
            digest.update(json.dumps(record, sort_keys=True).encode())
        return f"eval-{digest.hexdigest()[:12]}"

    @cached_property
    def judged(self) -> dict[str, str]:
        """The queries with judgements; the others are left out, as in BEIR."""
        return {query_id: text for query_id, text in self.queries.items() if self.qrels.get(query_id)}

    @property
    def notes(self) -> list[str]:
        """What the judgements name and the collection does not hold."""
        queries = len(self.qrels.keys() - self.queries.keys())
        missing = sum(doc_id not in self.corpus for query_id in self.judged for doc_id in self.qrels[query_id])
        found = [
            (queries, "judged queries are not in the collection and are left out"),
            (missing, "judgements name documents that are not in the collection, which counts as not found"),
        ]
        return [f"{count} {what}" for count, what in found if count]


def read_beir(folder: str | Path) -> BeirDataset:
    """Read a test collection.

    Args:
        folder: holds `corpus.jsonl` (`_id`, `title`, `text`, and `metadata`, whose `source` is the document's source),
            `queries.jsonl` (`_id`, `text`, and `metadata`, whose `way` names the way it is written and whose `answers`
            are texts of which the context should hold one) and `qrels/test.tsv` (`query-id`, `corpus-id` and `score`,
            with this header).

    Raises:
        ReadError: a file is missing, or a line can not be used; the message names it and shows a valid one.
        InvalidInputError: no query has a judged document.
    """
    root = Path(folder)
    missing = [name for name in _FILES if not (root / name).is_file()]
    if missing:
        raise ReadError(f"{root} is no BEIR folder, which holds {', '.join(_FILES)}; missing: {', '.join(missing)}")
    corpus, queries, qrels = (root / name for name in _FILES)
    asked = _read_jsonl(queries, _query, _QUERY)
    return BeirDataset(
        corpus=_read_jsonl(corpus, _document, _DOCUMENT),
        queries={query_id: query.text for query_id, query in asked.items()},
        qrels=_read_qrels(qrels),
        ways={query_id: query.way for query_id, query in asked.items() if query.way},
        answers={query_id: query.answers for query_id, query in asked.items() if query.answers},
    )


def _read_jsonl(file: Path, make: Callable[[str, Mapping[str, Any]], _Entry], example: str) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for number, line in _lines(file):
        try:
            record = _object("the line", _parsed(line))
            entry_id = checked_name("_id", record.get("_id"))
            if entry_id in entries:
                raise ReadError(f"another line before it has the _id {entry_id!r}")
            entries[entry_id] = make(entry_id, record)
        except InvalidInputError as error:
            raise ReadError(f"{file}:{number}: {error}; valid: {example}") from error
    return entries


def _read_qrels(file: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    lines = _lines(file)
    number, header = next(lines, (1, ""))
    if header.split("\t") != _HEADER:
        raise ReadError(f"{file}:{number}: the first line must be {'<TAB>'.join(_HEADER)}, not {header!r:.80}")
    for number, line in lines:
        try:
            query_id, doc_id, score = line.split("\t")
            grade = int(score)
        except ValueError as error:
            raise ReadError(f"{file}:{number}: {line!r:.80} is no judgement; valid: {_JUDGEMENT}") from error
        if qrels.setdefault(query_id, {}).setdefault(doc_id, grade) != grade:
            raise ReadError(f"{file}:{number}: another line before it gives this document another score")
    return qrels


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers."""
    try:
        with file.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{file} can not be read as UTF-8: {error}") from error


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"the line is not JSON: {error}") from error


def _document(doc_id: str, record: Mapping[str, Any]) -> dict[str, Any]:
    title, text = _string(record, "title", ""), _string(record, "text")
    metadata = _object("metadata", record.get("metadata") or {})
    # As in BEIR, a document may be a title alone.
    return {
        "id": doc_id,
        "title": title,
        "text": text if text.strip() else title,
        "source": metadata.get("source"),
        "metadata": metadata,
    }


def _query(_: str, record: Mapping[str, Any]) -> _Query:
    metadata = _object("metadata", record.get("metadata") or {})
    return _Query(_string(record, "text"), _string(metadata, "way", ""), _answers(metadata.get("answers")))


def _answers(value: Any) -> tuple[str, ...]:
    """Return the answers, which must say something: nothing is in every context."""
    answers = [] if value is None else value
    if not isinstance(answers, list) or not all(isinstance(answer, str) and answer.strip() for answer in answers):
        raise ReadError(f"answers must be a list of strings that are not blank, not {value!r:.80}")
    return tuple(answers)


def _object(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ReadError(f"{what} must be an object, not {value!r:.80}")
    return value


def _string(record: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = default if record.get(key) is None else record[key]
    if not isinstance(value, str):
        raise ReadError(f"{key} must be a string, not {value!r:.80}")
    return value
