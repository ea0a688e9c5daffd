"""The commands of `rag-app`; whatever is heavy loads inside them, so that `--help` answers at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.cli.chat import chat
from rag_app.cli.config import config_app, init
from rag_app.cli.database import db
from rag_app.cli.doctor import doctor
from rag_app.cli.documents import delete, ingest, stats
from rag_app.cli.flags import flags
from rag_app.cli.keys import keys
from rag_app.cli.models import models
from rag_app.cli.options import AsJson, Config, DataDir, Profile, Tenant, opened, parsed_filters, progress_bar
from rag_app.cli.reindex import reindex
from rag_app.cli.serve import serve
from rag_app.cli.shadow import shadow
from rag_app.cli.verify import verify
from rag_app.cli.worker import worker

if TYPE_CHECKING:
    from rag_app.config import Settings
    from rag_app.evaluation import BeirDataset, EvaluationReport

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(init)
app.add_typer(config_app, name="config")
app.add_typer(db, name="db")
app.add_typer(models, name="models")
app.add_typer(flags, name="flags")
app.add_typer(keys, name="keys")
app.add_typer(shadow, name="shadow")


@app.callback()
def rag_app() -> None:
    """Production retrieval for Persian-first chat backends."""


@app.command()
def retrieve(
    query: Annotated[str, typer.Argument(help="The question, as a customer types it.")],
    tenant: Tenant,
    primary_source: Annotated[str | None, typer.Option(help="The source with the primary budget.")] = None,
    secondary_source: Annotated[list[str] | None, typer.Option(help="A further source; may be given again.")] = None,
    primary_budget: Annotated[int | None, typer.Option(help="Tokens for the primary source.")] = None,
    secondary_budget: Annotated[int | None, typer.Option(help="Tokens for the further sources.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--filter", help="KEY=TEXT, or KEY:=JSON for a number or a list; may be given again."),
    ] = None,
    explain: Annotated[bool, typer.Option(help="Show each chunk's way through the stages.")] = False,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Find the context for a question."""
    with opened(profile, config, data_dir) as application:
        application.warm_up()
        result = application.retrieve(
            query,
            tenant=tenant,
            primary_source=primary_source,
            secondary_sources=secondary_source or (),
            primary_budget=primary_budget,
            secondary_budget=secondary_budget,
            filters=parsed_filters(where),
        )
    if as_json:
        typer.echo(json.dumps(result.as_dict(), ensure_ascii=False))
        return
    from rag_app.cli.render import render_explanation
    from rag_app.schema.terminal import render_result

    typer.echo(render_result(result))
    if explain:
        typer.echo(render_explanation(result))


@app.command("eval")
def evaluate(
    folder: Annotated[Path, typer.Argument(help="A BEIR folder: corpus.jsonl, queries.jsonl, qrels/test.tsv.")],
    measures: Annotated[
        str, typer.Option(help="Measures as ir_measures names them, with spaces between.")
    ] = "Success@1 Success@5 RR@10 nDCG@10 R@20",
    compare: Annotated[Path | None, typer.Option(help="A YAML file of other settings to compare with.")] = None,
    run_out: Annotated[Path | None, typer.Option(help="A folder to write a TREC run of each stage into.")] = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Measure each stage on a test collection; --compare tests whether other settings are better."""
    from rag_app import evaluation
    from rag_app.cli.tables import render_comparison, render_report
    from rag_app.config import load_settings

    names = measures.split()
    evaluation.parse_measures(names)
    dataset = evaluation.read_beir(folder)
    settings = [load_settings(config, profile=profile, data_dir=data_dir)]
    if compare is not None:
        settings.append(load_settings(compare, data_dir=settings[0].data_dir))
    reports = [_evaluated(each, dataset, names) for each in settings]
    if len(reports) == 1:
        found, shown = reports[0].as_dict(), render_report(reports[0])
    else:
        comparison = evaluation.compare(*reports)
        found, shown = comparison.as_dict(), render_comparison(comparison)
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else shown)
    if run_out is not None:
        for report, name in zip(reports, ("a", "b") if compare is not None else ("",), strict=True):
            evaluation.write_runs(report.rankings, run_out / name)


app.command()(ingest)
app.command()(delete)
app.command()(stats)
app.command()(chat)
app.command()(reindex)
app.command()(doctor)
app.command()(verify)
app.command()(serve)
app.command()(worker)


def _evaluated(settings: Settings, dataset: BeirDataset, measures: list[str]) -> EvaluationReport:
    from rag_app.app import RagApp
    from rag_app.evaluation import evaluate

    with RagApp(_on_its_own(settings)) as application, progress_bar("documents and queries") as progress:
        application.warm_up()
        return evaluate(application, dataset, measures, progress)


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
