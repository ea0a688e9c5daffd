"""Whether one configuration is better than another on the same queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from rag_app.errors import InvalidInputError
from rag_app.evaluation.frames import frame_of_differences
from rag_app.evaluation.rankings import CONTEXT, RERANK
from rag_app.evaluation.report import ANSWER_IN_CONTEXT, EvaluationReport
from rag_app.evaluation.significance import holm, interval, p_values

if TYPE_CHECKING:
    import pandas as pd

HOLM_NOTE = (
    "p looks at one measure alone; among many, some are small by chance. p by Holm looks at the whole table: where "
    "nothing differs, any of it is under .05 in at most 5 of 100 tables."
)


class Difference(NamedTuple):
    """Two means of one measure: b less a, its 95% paired bootstrap interval, and how likely it is by chance alone.

    `p_value` is of this measure looked at alone, `p_holm` of the whole comparison, however many measures it has.
    """

    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """Two evaluations, and how far `b` is ahead of `a`.

    Attributes:
        by_stage: by stage and measure, of the stages that both have; that of `context` includes "answer_in_context"
            where queries name answers.
    """

    a: EvaluationReport
    b: EvaluationReport
    by_stage: Mapping[str, Mapping[str, Difference]]

    @property
    def difference(self) -> Mapping[str, Difference]:
        """By measure, of the final order before chunks give way to their parents."""
        return self.by_stage[RERANK]

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each measure of each stage; `frames.frame_of_differences` names the columns.

        Raises:
            ComponentError: pandas is not installed.
        """
        return frame_of_differences(self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, ready for JSON."""
        by_stage = {
            stage: {name: {**entry._asdict(), "interval": list(entry.interval)} for name, entry in by_measure.items()}
            for stage, by_measure in self.by_stage.items()
        }
        return {
            "a": self.a.as_dict(),
            "b": self.b.as_dict(),
            "difference": by_stage[RERANK],
            "difference_by_stage": by_stage,
        }


def compare(a: EvaluationReport, b: EvaluationReport) -> Comparison:
    """Compare two evaluations query by query.

    Raises:
        InvalidInputError: they are not of the same queries by the same measures.
    """
    first, second = _values(a), _values(b)
    shared = [key for key in first if key in second]
    measures = {name for _, name in first} == {name for _, name in second}
    if not measures or any(first[key].keys() != second[key].keys() for key in shared):
        raise InvalidInputError("only evaluations of the same queries by the same measures can be compared")
    ahead = [[second[key][query_id] - value for query_id, value in first[key].items()] for key in shared]
    alone = p_values(ahead)
    by_stage: dict[str, dict[str, Difference]] = {}
    for key, by_query, p_value, p_holm in zip(shared, ahead, alone, holm(alone), strict=True):
        stage, name = key
        means = fmean(first[key].values()), fmean(second[key].values())
        entry = Difference(*means, means[1] - means[0], interval(by_query), p_value, p_holm)
        by_stage.setdefault(stage, {})[name] = entry
    return Comparison(a, b, by_stage)


def _values(report: EvaluationReport) -> dict[tuple[str, str], Mapping[str, float]]:
    """Return by stage and measure the value of each query."""
    values = {
        (stage, name): by_query
        for stage, by_measure in report.per_query.items()
        for name, by_query in by_measure.items()
    }
    return values | ({(CONTEXT, ANSWER_IN_CONTEXT): report.answers} if report.answers else {})
