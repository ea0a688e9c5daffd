"""`rag-app eval`: how well each stage does on a test collection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.cli.options import AsJson, Config, DataDir, Profile, check_sources, progress_bar

if TYPE_CHECKING:
    from rag_app.config import Settings
    from rag_app.evaluation import BeirDataset, Comparison, EvaluationReport
    from rag_app.request import RetrievalOptions


def evaluate(
    folder: Annotated[Path, typer.Argument(help="A BEIR folder: corpus.jsonl, queries.jsonl, qrels/test.tsv.")],
    measures: Annotated[
        str, typer.Option(help="Measures as ir_measures names them, with spaces between.")
    ] = "Success@1 Success@5 RR@10 nDCG@10 R@20",
    primary_source: Annotated[str | None, typer.Option(help="The source with the primary budget.")] = None,
    secondary_source: Annotated[list[str] | None, typer.Option(help="A further source; may be given again.")] = None,
    primary_budget: Annotated[int | None, typer.Option(min=0, help="Tokens for the primary source.")] = None,
    secondary_budget: Annotated[int | None, typer.Option(min=0, help="Tokens for the further sources.")] = None,
    compare: Annotated[Path | None, typer.Option(help="A YAML file of other settings to compare with.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="How many of the worst queries to show.")] = 0,
    by: Annotated[
        str | None, typer.Option(help="A measure that tells which are the worst; answer_in_context if it is known.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="A file for a page with plots, tables and the worst queries.")
    ] = None,
    run_out: Annotated[Path | None, typer.Option(help="A folder to write a TREC run of each stage into.")] = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Measure each stage on a test collection; --compare tests whether other settings are better."""
    from rag_app import evaluation
    from rag_app.config import load_settings

    check_sources(primary_source, secondary_source)
    names = measures.split()
    evaluation.parse_measures(names)
    dataset = evaluation.read_beir(folder)
    evaluation.worst_by(by, names, answered=bool(dataset.answers))
    settings = [load_settings(config, profile=profile, data_dir=data_dir)]
    if compare is not None:
        settings.append(load_settings(compare, data_dir=settings[0].data_dir))
    options: RetrievalOptions = {
        "primary_source": primary_source,
        "secondary_sources": secondary_source or (),
        "primary_budget": primary_budget,
        "secondary_budget": secondary_budget,
    }
    reports = [_evaluated(each, dataset, names, options) for each in settings]
    evaluated = reports[0] if compare is None else evaluation.compare(*reports)
    typer.echo(_as_json(evaluated, worst, by) if as_json else _as_text(evaluated, worst, by))
    if html is not None:
        evaluation.write_html(evaluated, html, title=folder.resolve().name, worst=worst or 10, measure=by)
    if run_out is not None:
        for report, name in zip(reports, ("a", "b") if compare is not None else ("",), strict=True):
            evaluation.write_runs(report.rankings, run_out / name)


def _evaluated(
    settings: Settings, dataset: BeirDataset, measures: list[str], options: RetrievalOptions
) -> EvaluationReport:
    from rag_app.app import RagApp
    from rag_app.evaluation import evaluate

    with RagApp(_on_its_own(settings)) as application, progress_bar("documents and queries") as progress:
        application.warm_up()
        return evaluate(application, dataset, measures, progress, **options)


def _on_its_own(settings: Settings) -> Settings:
    """Return the settings with an embedded database for evaluations alone, one for each way to build the index."""
    import hashlib

    if settings.database.url is not None:
        return settings
    of_search = {
        *("profile", "data_dir", "deadline_s", "database", "query_analysis", "retrieval", "rerank", "context"),
        *("llm", "server", "worker", "qdrant"),
    }
    index = hashlib.sha256(settings.model_dump_json(exclude=of_search).encode()).hexdigest()[:12]
    database = settings.database.model_copy(update={"auto_upgrade": True})
    return settings.model_copy(update={"data_dir": settings.data_dir / "eval" / index, "database": database})


def _as_json(evaluated: EvaluationReport | Comparison, worst: int, by: str | None) -> str:
    from rag_app.evaluation import Comparison

    found = evaluated.as_dict()
    if isinstance(evaluated, Comparison):
        places = [(found["a"], evaluated.a), (found["b"], evaluated.b)]
    else:
        places = [(found, evaluated)]
    for place, report in places if worst else ():
        place["worst"] = _told(report, worst, by)
    return json.dumps(found, ensure_ascii=False)


def _told(report: EvaluationReport, worst: int, by: str | None) -> list[dict[str, Any]]:
    return [
        {"query_id": query_id, "value": value, "answers": list(outcome.answers), "result": outcome.result()}
        for query_id, value, outcome in report.worst(worst, by)
    ]


def _as_text(evaluated: EvaluationReport | Comparison, worst: int, by: str | None) -> str:
    from rag_app.cli.tables import render_comparison, render_report, render_worst
    from rag_app.evaluation import EvaluationReport

    if isinstance(evaluated, EvaluationReport):
        text, reports = render_report(evaluated), {"the worst": evaluated}
    else:
        text, reports = render_comparison(evaluated), {"the worst of a": evaluated.a, "the worst of b": evaluated.b}
    if not worst:
        return text
    parts = [f"{what}:\n{render_worst(each, each.worst(worst, by))}" for what, each in reports.items()]
    return "\n\n".join([text, *parts])
