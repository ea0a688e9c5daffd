"""Running the queries of a test collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Unpack

from rag_app.app import RagApp
from rag_app.evaluation.beir import BeirDataset
from rag_app.evaluation.measures import DEFAULT_MEASURES, parse_measures, score
from rag_app.evaluation.outcomes import QueryOutcome
from rag_app.evaluation.rankings import CONTEXT, FUSION, RERANK
from rag_app.evaluation.report import EvaluationReport
from rag_app.ingestion import Progress
from rag_app.request import RetrievalOptions
from rag_app.schema import IngestReport

_WARM_UPS = 30


def evaluate(
    app: RagApp,
    dataset: BeirDataset,
    measures: Sequence[str] = DEFAULT_MEASURES,
    progress: Progress | None = None,
    **options: Unpack[RetrievalOptions],
) -> EvaluationReport:
    """Ingest the corpus as a tenant of its own and ask the queries, one after the other.

    The tenant stays, so that an evaluation on the same corpus ingests nothing.

    Args:
        app: the application to evaluate, with its settings.
        dataset: the test collection; queries without judgements are left out.
        measures: what to measure, as ir_measures names it.
        progress: called with the number of documents and queries done and the id of the last.
        options: of each retrieval, such as `primary_budget` and `secondary_budget`, as `RagApp.retrieve` takes them.

    Raises:
        InvalidInputError: a measure is unknown, or an option can not be used; nothing is ingested then.
        ComponentError: ir_measures is not installed.
        IndexMismatchError: the stored index was built with another analyser or embedding.
        DatabaseUnavailableError: the database does not answer.
    """
    parsed = parse_measures(measures)
    app.as_retriever(tenant=dataset.tenant, **options)  # refuses what it can not use before the long ingestion
    ingested = app.ingest(dataset.corpus.values(), tenant=dataset.tenant, progress=progress)
    outcomes = dict(_outcomes(app, dataset, progress, options))
    legs = sorted({stage for outcome in outcomes.values() for stage in outcome.rankings} - {FUSION, RERANK, CONTEXT})
    rankings = {
        stage: {query_id: outcome.rankings.get(stage, []) for query_id, outcome in outcomes.items()}
        for stage in (*legs, FUSION, RERANK, CONTEXT)
    }
    return EvaluationReport(
        documents=len(dataset.corpus),
        outcomes=outcomes,
        rankings=rankings,
        per_query={stage: score(parsed, dataset.qrels, by_query) for stage, by_query in rankings.items()},
        judged={query_id: dataset.qrels[query_id] for query_id in outcomes},
        notes=(*dataset.notes, *_notes(ingested, outcomes.values())),
    )


def _outcomes(
    app: RagApp, dataset: BeirDataset, progress: Progress | None, options: RetrievalOptions
) -> Iterator[tuple[str, QueryOutcome]]:
    _warm_up(app, dataset, options)
    for number, (query_id, text) in enumerate(dataset.judged.items(), start=len(dataset.corpus) + 1):
        result = app.retrieve(text, tenant=dataset.tenant, **options)
        way, answers = dataset.ways.get(query_id), dataset.answers.get(query_id, ())
        yield query_id, QueryOutcome.of(result, way=way, answers=answers)
        if progress is not None:
            progress(number, query_id)


def _warm_up(app: RagApp, dataset: BeirDataset, options: RetrievalOptions) -> None:
    """Ask the first query until it is answered in full: models load then, and the tenant's index is built."""
    text = next(iter(dataset.judged.values()))
    for _ in range(_WARM_UPS):
        if not app.retrieve(text, tenant=dataset.tenant, **options).degraded:
            return


def _notes(ingested: IngestReport, outcomes: Collection[QueryOutcome]) -> list[str]:
    notes = []
    if skipped := ingested.skipped:
        notes.append(f"{len(skipped)} documents were not ingested; the first, {skipped[0].origin}: {skipped[0].reason}")
    counts = Counter(degradation for outcome in outcomes for degradation in outcome.degradations)
    return notes + [f"{count} queries degraded: {degradation}" for degradation, count in counts.most_common()]
