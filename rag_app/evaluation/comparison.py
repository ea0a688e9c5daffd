"""Whether one configuration is better than another on the same queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from rag_app.errors import InvalidInputError
from rag_app.evaluation.rankings import RERANK
from rag_app.evaluation.report import EvaluationReport
from rag_app.evaluation.significance import interval, p_value


class Difference(NamedTuple):
    """Two means of one measure: b less a, its 95% paired bootstrap interval, and how likely it is by chance alone."""

    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Two evaluations, and by measure how far `b` is ahead of `a`."""

    a: EvaluationReport
    b: EvaluationReport
    difference: dict[str, Difference]

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, ready for JSON."""
        difference = {
            name: {**entry._asdict(), "interval": list(entry.interval)} for name, entry in self.difference.items()
        }
        return {"a": self.a.as_dict(), "b": self.b.as_dict(), "difference": difference}


def compare(a: EvaluationReport, b: EvaluationReport) -> Comparison:
    """Compare the final order of two evaluations query by query.

    Raises:
        InvalidInputError: they are not of the same queries by the same measures.
    """
    first, second = a.per_query[RERANK], b.per_query[RERANK]
    if first.keys() != second.keys() or any(first[name].keys() != second[name].keys() for name in first):
        raise InvalidInputError("only evaluations of the same queries by the same measures can be compared")
    difference = {}
    for name, mean in a.measures.items():
        by_query = [second[name][query_id] - value for query_id, value in first[name].items()]
        other = b.measures[name]
        difference[name] = Difference(mean, other, other - mean, interval(by_query), p_value(by_query))
    return Comparison(a, b, difference)
