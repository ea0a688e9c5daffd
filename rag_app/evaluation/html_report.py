"""An evaluation as one page of HTML that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rag_app.errors import InvalidInputError
from rag_app.evaluation.answers import chunks_of
from rag_app.evaluation.comparison import HOLM_NOTE, Comparison
from rag_app.evaluation.extra import library
from rag_app.evaluation.plots import plot_differences, plot_histogram, plot_latency, plot_means
from rag_app.evaluation.report import ANSWER_IN_CONTEXT, EvaluationReport, WorstQuery, worst_by

_TEMPLATE = Path(__file__).with_name("report.html")


def write_html(
    evaluated: EvaluationReport | Comparison,
    file: str | Path,
    *,
    title: str = "Evaluation",
    worst: int = 10,
    measure: str | None = None,
) -> None:
    """Write a page with the tables and plots of an evaluation, or of two and their differences.

    Args:
        evaluated: what to show.
        file: where the page goes; a file of that name is replaced.
        title: of the page.
        worst: how many of the worst queries to show with their traces; none if 0.
        measure: by which they are the worst, as `EvaluationReport.worst` takes it.

    Raises:
        InvalidInputError: there is no such measure, or the file can not be written.
        ComponentError: matplotlib or jinja2 is not installed.
    """
    comparison = evaluated if isinstance(evaluated, Comparison) else None
    reports = {"": evaluated} if isinstance(evaluated, EvaluationReport) else {"a": evaluated.a, "b": evaluated.b}
    sections = [_section(name, report, worst, measure) for name, report in reports.items()]
    differences = {"comparison": comparison, "plot": plot_differences(comparison)} if comparison else None
    environment = library("jinja2").Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        title=title, sections=sections, differences=differences, holm_note=HOLM_NOTE, answer=ANSWER_IN_CONTEXT
    )
    try:
        Path(file).write_text(page, "utf-8")
    except OSError as error:
        raise InvalidInputError(f"the report can not be written to {file}: {error.strerror}") from error


def _section(name: str, report: EvaluationReport, worst: int, measure: str | None) -> dict[str, Any]:
    """Return what the template shows of one evaluation."""
    outcomes = report.outcomes.values()
    by_way = {
        way: {name: value for name, value in means.items() if name != "queries"} for way, means in report.by_way.items()
    }
    return {
        "name": name,
        "report": report,
        "stages_plot": plot_means(report.by_stage, "mean over the queries"),
        "ways_plot": plot_means(by_way, "mean over the queries, after rerank") if by_way else None,
        "latency_plot": plot_latency(report),
        "chunks_plot": plot_histogram([outcome.chunks for outcome in outcomes], "chunks in the context"),
        "tokens_plot": plot_histogram([outcome.tokens for outcome in outcomes], "tokens of the context"),
        "worst": [_told(report, each) for each in report.worst(worst, measure)] if worst else [],
        "worst_by": worst_by(measure, list(report.measures), answered=bool(report.answers)),
    }


def _told(report: EvaluationReport, worst: WorstQuery) -> dict[str, Any]:
    """Return what the template shows of one query."""
    result = worst.outcome.result()
    chunks = result["trace"]["chunks"]
    return {
        **worst._asdict(),
        "relevant": report.relevant(worst.query_id),
        "places": report.places(worst.query_id),
        "words": result["trace"]["words"],
        "degradations": sorted(worst.outcome.degradations),
        "legs": sorted({leg for chunk in chunks for leg in chunk["legs"]}),
        "candidates": sorted(chunks, key=_order),
        "context": chunks_of(result["context"]),
    }


def _order(chunk: Mapping[str, Any]) -> tuple[float, ...]:
    """Order by the place in the context, then after rerank, then after fusion."""
    last = float("inf")
    ranks = (chunk[name]["rank"] if chunk[name] else last for name in ("rerank", "fusion"))
    return (chunk["context"] or last, *ranks)
