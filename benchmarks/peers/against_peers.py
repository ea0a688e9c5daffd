"""rag_app, LlamaIndex, LangChain, Haystack and RAGLite on the same documents, vectors and cross-encoder, in turn.

Each is set up as its documentation does, in a process and an environment of its own (`environments.py`), by a worker
named after it. Every document is one chunk on all sides. The vectors are those of rag_app's offline embedding, made
beforehand of documents and questions as typed, and looked up: no side's time holds any. Retrieval gives 20 candidates;
rag_app's embedded profile then orders them by its lexical reranker, which needs no model. The cross-encoder reads the
20 and leaves 8; its weights are random, so that its speed is measured and its order is not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from environments import HERE, PEERS, python_of
from rendering import INT8, ORDER, OURS, RETRIEVAL, rendered
from side import Asked, Side, SideError

from rag_app.embeddings import HashingEmbedding
from rag_app.errors import RagAppError
from rag_app.evaluation import BeirDataset, parse_measures, read_beir
from rag_app.evaluation.measures import DEFAULT_MEASURES, score

RERANK = "rerank"
Report = dict[str, Any]


def write_vectors(folder: Path, texts: Sequence[str]) -> None:
    """Write the vector of each text, as workers read them."""
    distinct = list(dict.fromkeys(texts))
    vectors = HashingEmbedding().get_text_embedding_batch(distinct)
    np.save(folder / "vectors.npy", np.array(vectors, dtype=np.float32))
    (folder / "texts.json").write_text(json.dumps(distinct), "utf-8")


@contextmanager
def opened(names: Sequence[str], texts: Sequence[str], logs: Path) -> Iterator[list[Side]]:
    """Start the sides.

    Args:
        names: of the sides.
        texts: those whose vectors are needed.
        logs: the folder for what they print.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory, ExitStack() as running:
        vectors = Path(directory) / "vectors"
        vectors.mkdir()
        write_vectors(vectors, texts)
        sides = []
        for name in names:
            folder = Path(directory) / name
            folder.mkdir()
            python = Path(sys.executable) if name in (OURS, INT8) else python_of(name)
            command = [python, HERE / f"{name}_peer.py"]
            sides.append(running.enter_context(Side(name, command, folder, vectors, logs / f"{name}.log")))
        yield sides


def quality(side: Side, datasets: Mapping[str, BeirDataset]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the means of the measures by way of writing and stage; it warms the side up as well."""
    measures, found = parse_measures(DEFAULT_MEASURES), {}
    for way, dataset in datasets.items():
        asked = dict(zip(dataset.judged, side.ask(list(dataset.judged.values())), strict=True))
        found[way] = {
            stage: {
                name: fmean(values.values())
                for name, values in score(
                    measures, dataset.qrels, {query_id: answer.rankings[stage] for query_id, answer in asked.items()}
                ).items()
            }
            for stage in (RETRIEVAL, ORDER)
        }
    return found


def in_turn(
    sides: Sequence[Side], rounds: Sequence[Sequence[str]], *, rerank: bool = False
) -> dict[str, list[list[Asked]]]:
    """Return what each side answered in each round; another side begins each time."""
    answers: dict[str, list[list[Asked]]] = {side.name: [] for side in sides}
    for number, questions in enumerate(rounds):
        first = number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            answers[side.name].append(side.ask(questions, rerank=rerank))
    return answers


def times(answers: Mapping[str, list[list[Asked]]], *stages: str) -> dict[str, dict[str, float]]:
    """Return by side p50 and p95 of the milliseconds of these stages together, and how it compares with ours.

    `times_ours` is the median, the least and the most of the ratio of the rounds' medians, theirs to ours.
    """
    sums = {
        name: [[sum(asked.ms[stage] for stage in stages) for asked in one] for one in rounds]
        for name, rounds in answers.items()
    }
    found: dict[str, dict[str, float]] = {}
    for name, rounds in sums.items():
        p50, p95 = np.percentile([ms for one in rounds for ms in one], (50, 95))
        ratios = [median(theirs) / median(own) for theirs, own in zip(rounds, sums[OURS], strict=True)]
        found[name] = {
            "p50": float(p50),
            "p95": float(p95),
            "times_ours": median(ratios),
            "least": min(ratios),
            "most": max(ratios),
        }
    return found


def measure(
    sides: Sequence[Side],
    datasets: Mapping[str, BeirDataset],
    *,
    rounds: int,
    questions: int,
    model: Path | None,
    reranked: int,
) -> dict[str, Report]:
    """Return what was measured of each side.

    Args:
        sides: those that run; of `INT8` the quality is not measured, for without a model it finds the same.
        datasets: by way of writing, the same documents in each.
        rounds: how often all sides retrieve in turn.
        questions: how many each time, of each way of writing.
        model: the cross-encoder's folder; None leaves it out.
        reranked: how many questions it is asked, one each round.
    """
    corpus = next(iter(datasets.values())).corpus
    documents = {doc_id: str(record["text"]) for doc_id, record in corpus.items()}
    reports: dict[str, Report] = {}
    for side in sides:
        ingested = side.ingest(documents)
        reports[side.name] = {"versions": ingested["versions"], "ingestion_s": ingested["seconds"]}
        if side.name == INT8:
            side.ask(list(next(iter(datasets.values())).judged.values()))  # which warms it up
        else:
            reports[side.name]["quality"] = quality(side, datasets)
        print(f"{side.name}: {len(documents)} documents in {ingested['seconds']:.1f} s", flush=True)
    asked = [text for dataset in datasets.values() for text in list(dataset.judged.values())[:questions]]
    answers = in_turn(sides, [asked] * rounds)
    kinds = {"retrieval_ms": (RETRIEVAL,), "ordered_ms": (RETRIEVAL, ORDER)}
    _note(reports, {kind: times(answers, *stages) for kind, stages in kinds.items()})
    _note(reports, {"memory_mb": {side.name: side.memory()._asdict() for side in sides}})
    if model is None:
        return reports
    texts = list(dict.fromkeys(text for dataset in datasets.values() for text in dataset.judged.values()))
    for side in sides:
        side.load(model)
        side.ask(texts[-1:], rerank=True)
    answers = in_turn(sides, [[text] for text in texts[:: max(1, len(texts) // reranked)][:reranked]], rerank=True)
    _note(reports, {"rerank_ms": times(answers, RERANK), "reranked_ms": times(answers, RETRIEVAL, RERANK)})
    _note(reports, {"memory_with_model_mb": {side.name: side.memory()._asdict() for side in sides}})
    return reports


def _note(reports: Mapping[str, Report], found: Mapping[str, Mapping[str, Any]]) -> None:
    for what, by_side in found.items():
        for name, figures in by_side.items():
            reports[name][what] = figures


def main() -> None:
    """Read the arguments, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="BEIR folders of the ways of writing, which persian/build.py wrote")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="beside rag_app; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="how often all sides retrieve in turn")
    parser.add_argument("--questions", type=int, default=12, help="how many each round, of each way of writing")
    parser.add_argument("--model", type=Path, help="the folder of a cross-encoder, as rerank/full_size.py builds one")
    parser.add_argument("--reranked", type=int, default=8, help="how many questions it is asked")
    parser.add_argument("--logs", type=Path, default=Path("build/peers"), help="a folder for what the sides print")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    try:
        found = sorted(given.folder.glob("*/corpus.jsonl"), key=lambda file: (file.parent.name != "clean", file))
        datasets = {file.parent.name: read_beir(file.parent) for file in found}
        texts = [
            text
            for dataset in datasets.values()
            for text in (*(str(record["text"]) for record in dataset.corpus.values()), *dataset.judged.values())
        ]
        given.logs.mkdir(parents=True, exist_ok=True)
        with opened((OURS, INT8, *given.peers), texts, given.logs) as sides:
            reports = measure(
                sides,
                datasets,
                rounds=given.rounds,
                questions=given.questions,
                model=given.model,
                reranked=given.reranked,
            )
    except (RagAppError, SideError) as error:
        parser.exit(2, f"{error}\n")
    first = next(iter(datasets.values()))
    results = {"documents": len(first.corpus), "questions": len(first.judged), "sides": reports}
    print(rendered(results))
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
