"""Running the queries of a test collection, and what came of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from rag_app.app import RagApp
from rag_app.evaluation.beir import BeirDataset
from rag_app.evaluation.measures import DEFAULT_MEASURES, parse_measures, score
from rag_app.evaluation.rankings import CONTEXT, FUSION, RERANK, Rankings, rankings_of
from rag_app.evaluation.significance import interval
from rag_app.ingestion import Progress
from rag_app.schema import IngestReport

_WARM_UPS = 30


@dataclass(frozen=True)
class EvaluationReport:
    """How well one configuration found the documents of a test collection.

    Attributes:
        documents: how many the corpus holds.
        degraded: how many queries were answered with less, which the machine's load may have caused.
        empty: how many queries got no context.
        latency_ms: "p50", "p95" and "p99" of the whole request.
        stage_latency_ms: "p50" and "p95" of each stage of the pipeline.
        rankings: by stage and query id the documents that were found, best first.
        per_query: by stage, measure and query id the value.
        ways: by query id the way it is written, for queries that say so.
        notes: what to know before the numbers are believed.
    """

    documents: int
    degraded: int
    empty: int
    latency_ms: dict[str, float]
    stage_latency_ms: dict[str, dict[str, float]]
    rankings: Rankings
    per_query: Mapping[str, Mapping[str, Mapping[str, float]]]
    ways: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def queries(self) -> int:
        """How many queries were asked."""
        return len(self.rankings[RERANK])

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
    def confidence(self) -> dict[str, tuple[float, float]]:
        """The 95% bootstrap intervals of `measures`."""
        return {name: interval(list(values.values())) for name, values in self.per_query[RERANK].items()}

    @cached_property
    def by_way(self) -> dict[str, dict[str, float]]:
        """By way of writing the number of queries and the means of the final order."""
        grouped = defaultdict(list)
        for query_id in self.rankings[RERANK]:
            if query_id in self.ways:
                grouped[self.ways[query_id]].append(query_id)
        return {
            way: {
                "queries": len(query_ids),
                **{
                    name: fmean(values[query_id] for query_id in query_ids)
                    for name, values in self.per_query[RERANK].items()
                },
            }
            for way, query_ids in sorted(grouped.items())
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, ready for JSON, without the values of single queries."""
        return {
            "queries": self.queries,
            "documents": self.documents,
            "degraded": self.degraded,
            "empty": self.empty,
            "measures": self.measures,
            "confidence": {name: list(bounds) for name, bounds in self.confidence.items()},
            "by_stage": self.by_stage,
            "by_way": self.by_way,
            "latency_ms": self.latency_ms,
            "stage_latency_ms": self.stage_latency_ms,
            "notes": list(self.notes),
        }


class _Answer(NamedTuple):
    """What is kept of one result: its texts would fill the memory."""

    rankings: dict[str, list[str]]
    ms: float
    stage_ms: dict[str, float]
    degradations: set[str]
    empty: bool


def evaluate(
    app: RagApp,
    dataset: BeirDataset,
    measures: Sequence[str] = DEFAULT_MEASURES,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Ingest the corpus as a tenant of its own and ask the queries, one after the other.

    The tenant stays, so that an evaluation on the same corpus ingests nothing.

    Args:
        app: the application to evaluate, with its settings.
        dataset: the test collection; queries without judgements are left out.
        measures: what to measure, as ir_measures names it.
        progress: called with the number of documents and queries done and the id of the last.

    Raises:
        InvalidInputError: a measure is unknown.
        ComponentError: ir_measures is not installed.
        IndexMismatchError: the stored index was built with another analyser or embedding.
        DatabaseUnavailableError: the database does not answer.
    """
    parsed = parse_measures(measures)
    ingested = app.ingest(dataset.corpus.values(), tenant=dataset.tenant, progress=progress)
    answers = dict(_answers(app, dataset, progress))
    legs = sorted({stage for answer in answers.values() for stage in answer.rankings} - {FUSION, RERANK, CONTEXT})
    rankings = {
        stage: {query_id: answer.rankings.get(stage, []) for query_id, answer in answers.items()}
        for stage in (*legs, FUSION, RERANK, CONTEXT)
    }
    return EvaluationReport(
        documents=len(dataset.corpus),
        degraded=sum(bool(answer.degradations) for answer in answers.values()),
        empty=sum(answer.empty for answer in answers.values()),
        latency_ms=_percentiles([answer.ms for answer in answers.values()], 50, 95, 99),
        stage_latency_ms=_stage_latency(answers.values()),
        rankings=rankings,
        per_query={stage: score(parsed, dataset.qrels, by_query) for stage, by_query in rankings.items()},
        ways=dataset.ways,
        notes=(*dataset.notes, *_notes(ingested, answers.values())),
    )


def _answers(app: RagApp, dataset: BeirDataset, progress: Progress | None) -> Iterator[tuple[str, _Answer]]:
    _warm_up(app, dataset)
    for number, (query_id, text) in enumerate(dataset.judged.items(), start=len(dataset.corpus) + 1):
        result = app.retrieve(text, tenant=dataset.tenant)
        trace = result.trace
        degradations = {
            f"{entry.stage}: {entry.component} ({entry.reason}), {entry.fallback} served"
            for entry in trace.degradations
        }
        stage_ms: dict[str, float] = {stage.name: stage.ms for stage in trace.stages}
        yield query_id, _Answer(rankings_of(result), trace.total_ms, stage_ms, degradations, not result.nodes)
        if progress is not None:
            progress(number, query_id)


def _warm_up(app: RagApp, dataset: BeirDataset) -> None:
    """Ask the first query until it is answered in full: models load then, and the tenant's index is built."""
    text = next(iter(dataset.judged.values()))
    for _ in range(_WARM_UPS):
        if not app.retrieve(text, tenant=dataset.tenant).degraded:
            return


def _stage_latency(answers: Collection[_Answer]) -> dict[str, dict[str, float]]:
    times = defaultdict(list)
    for answer in answers:
        for stage, ms in answer.stage_ms.items():
            times[stage].append(ms)
    return {stage: _percentiles(of_stage, 50, 95) for stage, of_stage in times.items()}


def _percentiles(times: Sequence[float], *percents: int) -> dict[str, float]:
    return {f"p{percent}": float(np.percentile(times, percent)) for percent in percents}


def _notes(ingested: IngestReport, answers: Collection[_Answer]) -> list[str]:
    notes = []
    if skipped := ingested.skipped:
        notes.append(f"{len(skipped)} documents were not ingested; the first, {skipped[0].origin}: {skipped[0].reason}")
    counts = Counter(degradation for answer in answers for degradation in answer.degradations)
    return notes + [f"{count} queries degraded: {degradation}" for degradation, count in counts.most_common()]
