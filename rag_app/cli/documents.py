"""What a tenant has stored: `rag-app ingest`, `delete` and `stats`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rag_app.cli.options import AsJson, Config, DataDir, Profile, Tenant, opened, progress_bar

LAZY = {"load": "lazy"}  # no model is needed for what is stored


def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders: .txt, .md, .html, .docx, .pdf, .jsonl, .csv (question,answer or products)."
        ),
    ],
    tenant: Tenant,
    source: Annotated[str | None, typer.Option(help="The source of all documents; else each file's folder.")] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what the source, or without --source the tenant, has beside these.")
    ] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Let a worker do it, and print the id of its task.")] = False,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Store documents; the same documents again change nothing."""
    from dataclasses import asdict

    if queue:
        from rag_app.cli.worker import queued
        from rag_app.config import load_settings

        settings = load_settings(config, profile=profile, data_dir=data_dir)
        task_id = queued(settings, paths, tenant=tenant, source=source, prune=prune)
        typer.echo(json.dumps({"task": task_id}) if as_json else task_id)
        return
    with opened(profile, config, data_dir, rerank=LAZY) as application, progress_bar() as progress:
        report = application.ingest(paths, tenant=tenant, source=source, prune=prune, progress=progress)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        from rag_app.cli.render import render_ingestion

        typer.echo(render_ingestion(report, prune=prune))
    if report.skipped and not report.stored:
        raise typer.Exit(1)


def delete(
    tenant: Tenant,
    document: Annotated[list[str] | None, typer.Option(help="A document's id; may be given again.")] = None,
    source: Annotated[str | None, typer.Option(help="All documents of this source.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All documents of the tenant.")] = False,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Delete documents by id, by source, or all of a tenant."""
    from rag_app.errors import InvalidInputError

    if sum((bool(document), source is not None, everything)) != 1:
        raise InvalidInputError("name what to delete by one of --document, --source and --all")
    with opened(profile, config, data_dir, rerank=LAZY) as application:
        if source is not None:
            deleted = application.delete_source(source, tenant=tenant)
        elif everything:
            deleted = application.delete_tenant(tenant)
        else:
            deleted = sum(application.delete(doc_id, tenant=tenant) for doc_id in document or ())
    typer.echo(json.dumps({"deleted": deleted}) if as_json else f"{deleted} documents deleted")
    if not deleted:
        raise typer.Exit(1)


def stats(
    tenant: Tenant,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Show what a tenant has stored and how it is searched."""
    from dataclasses import asdict

    with opened(profile, config, data_dir, rerank=LAZY) as application:
        found = application.stats(tenant)
    if as_json:
        totals = {"documents": found.documents, "chunks": found.chunks}
        typer.echo(json.dumps({**asdict(found), **totals}, ensure_ascii=False, default=str))
        return
    from rag_app.cli.tables import render_statistics

    typer.echo(render_statistics(found))
