"""The commands of `rag-app`; whatever is heavy loads inside them, so that `--help` answers at once."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rag_app.cli.chat import chat
from rag_app.cli.config import config_app, init
from rag_app.cli.database import db
from rag_app.cli.doctor import doctor
from rag_app.cli.documents import delete, ingest, stats
from rag_app.cli.evaluation import evaluate
from rag_app.cli.flags import flags
from rag_app.cli.keys import keys
from rag_app.cli.models import models
from rag_app.cli.options import AsJson, Config, DataDir, Profile, Tenant, check_sources, opened, parsed_filters
from rag_app.cli.reindex import reindex
from rag_app.cli.serve import serve
from rag_app.cli.shadow import shadow
from rag_app.cli.verify import verify
from rag_app.cli.worker import worker

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
    check_sources(primary_source, secondary_source)
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


app.command("eval")(evaluate)
app.command()(ingest)
app.command()(delete)
app.command()(stats)
app.command()(chat)
app.command()(reindex)
app.command()(doctor)
app.command()(verify)
app.command()(serve)
app.command()(worker)
