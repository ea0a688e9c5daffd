"""How well each stage finds the documents, whether the answer is in the context, and how long a request takes.

One table, with a row for each way of writing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from rag_app import RagApp
from rag_app.errors import RagAppError, ReadError
from rag_app.evaluation import EvaluationReport, evaluate, read_beir
from rag_app.request import RetrievalOptions

MEASURES = ("Success@1", "Success@5", "RR@10", "R@20")
RERANK = "rerank"


def beir_folders(places: Sequence[Path]) -> dict[str, Path]:
    """Return the BEIR folders by a name for each: those given, and those within what `build.py` wrote.

    Raises:
        ReadError: a place is neither.
    """
    folders: dict[str, Path] = {}
    for place in places:
        found = (
            [place] if (place / "corpus.jsonl").is_file() else [file.parent for file in place.glob("*/corpus.jsonl")]
        )
        if not found:
            raise ReadError(f"{place} neither is a BEIR folder nor holds any")
        for folder in sorted(found, key=lambda folder: (folder.name != "clean", folder.name)):
            folders[f"{folder.resolve().parent.name}/{folder.name}"] = folder
    return folders


@contextmanager
def opened(data_dir: Path, **settings: Any) -> Iterator[RagApp]:
    """Open an application that has so much time that the machine's load does not change what it finds."""
    with RagApp.from_config(
        data_dir=data_dir, deadline_s=30, retrieval={"leg_timeout_s": 20}, **settings
    ) as application:
        yield application


@contextmanager
def kept_or_temporary(data_dir: Path | None) -> Iterator[Path]:
    """Give the folder, or one that is gone afterwards."""
    if data_dir is not None:
        yield data_dir
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)


def show(rows: Sequence[Sequence[str]]) -> None:
    """Print the rows, every column but the last aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    for row in rows:
        print("  ".join(map(str.rjust, row, [*widths, 0])))


def rows_of(name: str, report: EvaluationReport, *, stages: bool) -> Iterator[list[str]]:
    """Yield the row of the final order with what is of the whole request, or of each leg and stage."""
    answered, sizes = report.answer_in_context, report.context_size
    whole = [
        "-" if answered is None else f"{answered:.3f}",
        *(" ".join(f"{sizes[what][place]:.0f}" for place in ("p5", "p50", "p95")) for what in ("chunks", "tokens")),
        *(f"{report.latency_ms[place]:.0f}" for place in ("p50", "p95")),
    ]
    for stage, means in report.by_stage.items():
        if stages or stage == RERANK:
            beside = whole if stage == RERANK else [""] * len(whole)
            yield [*(f"{means[measure]:.3f}" for measure in MEASURES), *beside, f"{name} {stage}"]


def mean_row(reports: Collection[EvaluationReport]) -> list[str]:
    """Return the means over the folders, where there are any."""
    means = [f"{fmean(report.measures[measure] for report in reports):.3f}" for measure in MEASURES]
    answered = [report.answer_in_context for report in reports if report.answer_in_context is not None]
    return [*means, f"{fmean(answered):.3f}" if answered else "-", "", "", "", "", "mean of the folders"]


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="BEIR folders, or what build.py wrote")
    parser.add_argument("--stages", action="store_true", help="show each leg and stage, not the final order alone")
    parser.add_argument("--primary-budget", type=int, default=800, help="tokens; 800 by default")
    parser.add_argument("--secondary-budget", type=int, default=600, help="tokens; 600 by default")
    parser.add_argument("--sources", nargs="+", default=(), help="the primary source and then the further ones")
    parser.add_argument("--json", type=Path, help="write the reports to this file")
    parser.add_argument("--data-dir", type=Path, help="keep the database here; a temporary one by default")
    given = parser.parse_args()
    rows = [[*MEASURES, "answer in context", "chunks p5 p50 p95", "tokens", "p50 ms", "p95", "folder and stage"]]
    options: RetrievalOptions = {
        "primary_source": next(iter(given.sources), None),
        "secondary_sources": given.sources[1:],
        "primary_budget": given.primary_budget,
        "secondary_budget": given.secondary_budget,
    }
    reports: dict[str, EvaluationReport] = {}
    try:
        with kept_or_temporary(given.data_dir) as data_dir, opened(data_dir) as app:
            for name, folder in beir_folders(given.folders).items():
                report = evaluate(app, read_beir(folder), MEASURES, **options)
                rows += rows_of(name, report, stages=given.stages)
                reports[name] = report
                for note in report.notes:
                    print(f"{name}: {note}")
    except RagAppError as error:
        parser.exit(2, f"{error}\n")
    show([*rows, mean_row(reports.values())])
    if given.json is not None:
        told = {name: report.as_dict() for name, report in reports.items()}
        given.json.write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
