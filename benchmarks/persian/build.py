"""BEIR folders from a SQuAD file: its paragraphs, answerable questions and answers, one for each way of writing.

The titles stay out, because the title of an article often answers which article a question is about.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from squad import NotSquadError, Question, read_squad
from ways import WAYS, Strength


def written(way: str, question: Question, strength: Strength, seed: int) -> str:
    """Return the question in a way of writing; the same whatever other questions there are."""
    rng = random.Random(f"{seed} {way} {question.query_id}")  # noqa: S311 - no secret
    return WAYS[way](question.text, rng, strength)


def build(
    squad: Path,
    out: Path,
    *,
    strength: Strength = "medium",
    seed: int = 0,
    limit: int | None = None,
    sources: Sequence[str] = (),
) -> None:
    """Write a BEIR folder for each way of writing, the questions in random order.

    Args:
        squad: the SQuAD file.
        out: where the folders go.
        strength: how far the writing is from the standard.
        seed: the same seed gives the same files.
        limit: how many questions to draw; all if None. The documents are always all paragraphs.
        sources: the sources that the documents are dealt out to in turn; of none if there are none.

    Raises:
        NotSquadError: the file can not be used.
    """
    documents, questions = read_squad(squad)
    metadata = [{"source": sources[place % len(sources)]} if sources else {} for place in range(len(documents))]
    count = len(questions) if limit is None else min(limit, len(questions))
    drawn = random.Random(seed).sample(questions, count)  # noqa: S311 - no secret
    for way in WAYS:
        folder = out / way
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        _write_jsonl(
            folder / "corpus.jsonl",
            [
                {"_id": doc_id, "title": "", "text": context, "metadata": of_document}
                for (doc_id, context), of_document in zip(documents.items(), metadata, strict=True)
            ],
        )
        _write_jsonl(
            folder / "queries.jsonl",
            [
                {
                    "_id": question.query_id,
                    "text": written(way, question, strength, seed),
                    "metadata": {"way": way, "answers": question.answers},
                }
                for question in drawn
            ],
        )
        judgements = "".join(f"{question.query_id}\t{question.doc_id}\t1\n" for question in drawn)
        (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judgements}", "utf-8")
    print(f"{len(documents)} documents and {count} questions in {len(WAYS)} ways of writing: {out}")


def _write_jsonl(file: Path, records: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("squad", type=Path, help="a JSON file in the format of SQuAD 1 or 2, such as PQuAD")
    parser.add_argument("out", type=Path, help="the folder that the BEIR folders go into")
    parser.add_argument("--strength", choices=get_args(Strength), default="medium")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="how many questions to draw; all by default")
    parser.add_argument("--sources", nargs="+", default=(), help="deal the documents out to these; none by default")
    given = parser.parse_args()
    try:
        build(
            given.squad,
            given.out,
            strength=given.strength,
            seed=given.seed,
            limit=given.limit,
            sources=given.sources,
        )
    except NotSquadError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
