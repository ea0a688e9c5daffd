"""How well each stage finds the documents, for each way of writing, and how long a request takes, as one table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rag_app import RagApp
from rag_app.errors import RagAppError, ReadError
from rag_app.evaluation import EvaluationReport, evaluate, read_beir

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
    """Yield the row of the final order, or of each leg and stage."""
    for stage, means in report.by_stage.items():
        if stages or stage == RERANK:
            times = [f"{report.latency_ms[place]:.0f}" if stage == RERANK else "" for place in ("p50", "p95")]
            yield [*(f"{means[measure]:.3f}" for measure in MEASURES), *times, f"{name} {stage}"]


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="BEIR folders, or what build.py wrote")
    parser.add_argument("--stages", action="store_true", help="show each leg and stage, not the final order alone")
    parser.add_argument("--json", type=Path, help="write the reports to this file")
    parser.add_argument("--data-dir", type=Path, help="keep the database here; a temporary one by default")
    given = parser.parse_args()
    rows = [[*MEASURES, "p50 ms", "p95 ms", "folder and stage"]]
    reports: dict[str, Any] = {}
    try:
        with kept_or_temporary(given.data_dir) as data_dir, opened(data_dir) as app:
            for name, folder in beir_folders(given.folders).items():
                report = evaluate(app, read_beir(folder), MEASURES)
                rows += rows_of(name, report, stages=given.stages)
                reports[name] = report.as_dict()
                for note in report.notes:
                    print(f"{name}: {note}")
    except RagAppError as error:
        parser.exit(2, f"{error}\n")
    show(rows)
    if given.json is not None:
        given.json.write_text(json.dumps(reports, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
