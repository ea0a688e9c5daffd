"""How well one configuration did on a test collection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rag_app.errors import InvalidInputError, unknown_name
from rag_app.evaluation.frames import frame_of
from rag_app.evaluation.outcomes import QueryOutcome
from rag_app.evaluation.rankings import RERANK, Rankings
from rag_app.evaluation.significance import interval

if TYPE_CHECKING:
    import pandas as pd

ANSWER_IN_CONTEXT = "answer_in_context"


class WorstQuery(NamedTuple):
    """A query that did badly: its value by the measure that was asked for, and what came of it."""

    query_id: str
    value: float
    outcome: QueryOutcome


@dataclass(frozen=True)
class EvaluationReport:
    """How well one configuration found the documents of a test collection.

    Attributes:
        documents: how many the corpus holds.
        outcomes: by query id what came of it.
        rankings: by stage and query id the documents that were found, best first.
        per_query: by stage, measure and query id the value.
        judged: by query id the grades of the judged documents by id.
        notes: what to know before the numbers are believed.
    """

    documents: int
    outcomes: Mapping[str, QueryOutcome]
    rankings: Rankings
    per_query: Mapping[str, Mapping[str, Mapping[str, float]]]
    judged: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]

    @property
    def queries(self) -> int:
        """How many queries were asked."""
        return len(self.outcomes)

    @property
    def degraded(self) -> int:
        """How many queries were answered with less, which the machine's load may have caused."""
        return sum(outcome.degraded for outcome in self.outcomes.values())

    @property
    def empty(self) -> int:
        """How many queries got no context."""
        return sum(not outcome.chunks for outcome in self.outcomes.values())

    @property
    def measures(self) -> dict[str, float]:
        """The means of the final order, before chunks give way to their parents."""
        return self.by_stage[RERANK]

    @cached_property
    def by_stage(self) -> dict[str, dict[str, float]]:
        """The means by stage and measure."""
        return {
            stage: {name: fmean(values.values()) for name, values in by_measure.items()}
            for stage, by_measure in self.per_query.items()
        }

    @cached_property
    def answers(self) -> dict[str, float]:
        """By query id 1 if the context holds one of its answers, else 0; of the queries that name any."""
        found = {query_id: outcome.answer_in_context for query_id, outcome in self.outcomes.items()}
        return {query_id: float(held) for query_id, held in found.items() if held is not None}

    @property
    def answer_in_context(self) -> float | None:
        """The share of contexts that hold an answer; None if no query names any."""
        return fmean(self.answers.values()) if self.answers else None

    @cached_property
    def confidence(self) -> dict[str, tuple[float, float]]:
        """The 95% bootstrap intervals of `measures`, and of `answer_in_context` where there are answers."""
        return {name: interval(list(values.values())) for name, values in self._final.items()}

    @cached_property
    def by_way(self) -> dict[str, dict[str, float]]:
        """By way of writing the number of queries, the means of the final order, and `answer_in_context`."""
        grouped = defaultdict(list)
        for query_id, outcome in self.outcomes.items():
            if outcome.way:
                grouped[outcome.way].append(query_id)
        return {
            way: {"queries": len(query_ids), **_means(self._final, query_ids)}
            for way, query_ids in sorted(grouped.items())
        }

    @cached_property
    def _final(self) -> dict[str, Mapping[str, float]]:
        """By measure and query id the value of the final order, and last whether the context holds an answer."""
        held = {ANSWER_IN_CONTEXT: self.answers} if self.answers else {}
        return {**self.per_query[RERANK], **held}

    @cached_property
    def latency_ms(self) -> dict[str, float]:
        """How long the whole request took: "p50", "p95" and "p99"."""
        return _percentiles([outcome.ms for outcome in self.outcomes.values()], 50, 95, 99)

    @cached_property
    def stage_latency_ms(self) -> dict[str, dict[str, float]]:
        """How long each stage of the pipeline took: "p50" and "p95"."""
        times = defaultdict(list)
        for outcome in self.outcomes.values():
            for stage, ms in outcome.stage_ms.items():
                times[stage].append(ms)
        return {stage: _percentiles(of_stage, 50, 95) for stage, of_stage in times.items()}

    @cached_property
    def context_size(self) -> dict[str, dict[str, float]]:
        """How many "chunks" and how many "tokens" a context holds: "p5", "p50" and "p95"."""
        outcomes = self.outcomes.values()
        sizes = {"chunks": [outcome.chunks for outcome in outcomes], "tokens": [outcome.tokens for outcome in outcomes]}
        return {name: _percentiles(values, 5, 50, 95) for name, values in sizes.items()}

    def worst(self, n: int, measure: str | None = None) -> list[WorstQuery]:
        """Return the `n` queries that did worst, the worst first.

        Those that did equally badly are ordered by the mean of all measures of the final order.

        Args:
            n: how many.
            measure: one of `measures`, of the final order, or "answer_in_context"; if None, the latter where queries
                name answers, else the first measure.

        Raises:
            InvalidInputError: `n` is below 1, or there is no such measure.
        """
        if n < 1:
            raise InvalidInputError(f"the worst queries are 1 or more, not {n}")
        values = self._final[worst_by(measure, list(self.measures), answered=bool(self.answers))]
        overall = {query_id: fmean(each[query_id] for each in self.per_query[RERANK].values()) for query_id in values}
        ordered = sorted(values, key=lambda query_id: (values[query_id], overall[query_id]))
        return [WorstQuery(query_id, values[query_id], self.outcomes[query_id]) for query_id in ordered[:n]]

    def relevant(self, query_id: str) -> set[str]:
        """Return the documents that answer a query."""
        return {doc_id for doc_id, grade in self.judged[query_id].items() if grade > 0}

    def places(self, query_id: str) -> dict[str, int | None]:
        """Return by stage the place of the first document that answers a query; None where there is none."""
        relevant = self.relevant(query_id)
        return {
            stage: next((place for place, doc_id in enumerate(of[query_id], start=1) if doc_id in relevant), None)
            for stage, of in self.rankings.items()
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each query; `frames.frame_of` names the columns.

        Raises:
            ComponentError: pandas is not installed.
        """
        return frame_of(self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, ready for JSON, without the values of single queries."""
        return {
            "queries": self.queries,
            "documents": self.documents,
            "degraded": self.degraded,
            "empty": self.empty,
            "measures": self.measures,
            "answer_in_context": self.answer_in_context,
            "context_size": self.context_size,
            "confidence": {name: list(bounds) for name, bounds in self.confidence.items()},
            "by_stage": self.by_stage,
            "by_way": self.by_way,
            "latency_ms": self.latency_ms,
            "stage_latency_ms": self.stage_latency_ms,
            "notes": list(self.notes),
        }


def worst_by(measure: str | None, measures: Sequence[str], *, answered: bool) -> str:
    """Return the measure that tells which queries are the worst.

    Args:
        measure: the one that was asked for; if None, "answer_in_context" or else the first.
        measures: those of the evaluation.
        answered: whether queries name answers.

    Raises:
        InvalidInputError: there is no such measure.
    """
    known = [ANSWER_IN_CONTEXT, *measures] if answered else measures
    name = known[0] if measure is None else measure
    if name not in known:
        raise InvalidInputError(unknown_name("measure of this evaluation", name, known))
    return name


def _means(values: Mapping[str, Mapping[str, float]], query_ids: Iterable[str]) -> dict[str, float]:
    """Return by measure the mean over those of the queries that have a value."""
    found = {name: [of[query_id] for query_id in query_ids if query_id in of] for name, of in values.items()}
    return {name: fmean(numbers) for name, numbers in found.items() if numbers}


def _percentiles(values: Sequence[float], *percents: int) -> dict[str, float]:
    return {f"p{percent}": float(np.percentile(values, percent)) for percent in percents}
