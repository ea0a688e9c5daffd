"""Evaluations as data frames of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_app.evaluation.extra import library

if TYPE_CHECKING:
    import pandas as pd

    from rag_app.evaluation.comparison import Comparison
    from rag_app.evaluation.report import EvaluationReport


def frame_of(report: EvaluationReport) -> pd.DataFrame:
    """Return a row for each query.

    Its columns: `id`, `text`, `way`; each measure of each stage as `STAGE.MEASURE`; `ms`, `chunks`, `tokens`,
    `answer_in_context` (missing for queries that name no answer) and `degraded`.

    Raises:
        ComponentError: pandas is not installed.
    """
    rows = [
        {
            "id": query_id,
            "text": outcome.text,
            "way": outcome.way,
            **{
                f"{stage}.{name}": values[query_id]
                for stage, by_measure in report.per_query.items()
                for name, values in by_measure.items()
            },
            "ms": outcome.ms,
            "chunks": outcome.chunks,
            "tokens": outcome.tokens,
            "answer_in_context": outcome.answer_in_context,
            "degraded": outcome.degraded,
        }
        for query_id, outcome in report.outcomes.items()
    ]
    frame: pd.DataFrame = library("pandas").DataFrame(rows)
    return frame.astype({"answer_in_context": "boolean"})


def frame_of_differences(comparison: Comparison) -> pd.DataFrame:
    """Return a row for each measure of each stage, with the columns that `Difference` has and its interval as two.

    Raises:
        ComponentError: pandas is not installed.
    """
    rows = [
        {
            "stage": stage,
            "measure": name,
            "a": entry.a,
            "b": entry.b,
            "difference": entry.difference,
            "low": entry.interval[0],
            "high": entry.interval[1],
            "p_value": entry.p_value,
            "p_holm": entry.p_holm,
        }
        for stage, by_measure in comparison.by_stage.items()
        for name, entry in by_measure.items()
    ]
    frame: pd.DataFrame = library("pandas").DataFrame(rows)
    return frame
