"""Files in the format of SQuAD: paragraphs, and the questions that they answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Question(NamedTuple):
    """A question, the document that answers it, and the answers that people marked there, each once."""

    query_id: str
    text: str
    doc_id: str
    answers: tuple[str, ...]


class NotSquadError(Exception):
    """The file is not in the format of SQuAD."""


def read_squad(file: Path) -> tuple[dict[str, str], list[Question]]:
    """Return the paragraphs by document id, each once, and the questions that they answer.

    Raises:
        NotSquadError: the file can not be read, is not SQuAD, or has no answerable question.
    """
    ids: dict[str, str] = {}
    questions: list[Question] = []
    try:
        for context, entries in _paragraphs(json.loads(file.read_text("utf-8-sig"))):
            doc_id = ids.setdefault(context, f"d{len(ids) + 1}")
            for entry in entries:
                if entry["answers"] and not entry.get("is_impossible"):
                    answers = dict.fromkeys(text for answer in entry["answers"] if (text := answer["text"].strip()))
                    query_id = f"q{len(questions) + 1}"
                    questions.append(Question(query_id, entry["question"].strip(), doc_id, tuple(answers)))
    except OSError as error:
        raise NotSquadError(f"{file} can not be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotSquadError(
            f'{file} is not SQuAD, which is {{"data": [{{"paragraphs": [{{"context": "...", "qas": [{{"question": '
            f'"...", "answers": [...]}}]}}]}}]}}: {type(error).__name__}: {error}'
        ) from error
    if not questions:
        raise NotSquadError(f"{file} has no question with an answer")
    return {doc_id: context for context, doc_id in ids.items()}, questions


def _paragraphs(squad: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for article in squad["data"]:
        for paragraph in article["paragraphs"]:
            yield paragraph["context"].strip(), paragraph["qas"]
