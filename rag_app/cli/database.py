"""`rag-app db`: the schema and the dense indexes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.cli.opening import opened_database
from rag_app.cli.options import AsJson, Config, DataDir, Profile, opened

if TYPE_CHECKING:
    from rag_app.storage import Database

db = typer.Typer(no_args_is_help=True, help="The database: its schema and its dense indexes.")


@db.command()
def upgrade(profile: Profile = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Bring the schema to the latest version; safe to run again and beside other processes."""
    from rag_app.storage import schema_version

    with _database(profile, config, data_dir) as database:
        typer.echo(schema_version.upgrade(database))


@db.command()
def downgrade(
    version: Annotated[str, typer.Argument(help="The version to go back to, such as 0001, or none.")],
    yes: Annotated[bool, typer.Option("--yes", help="Going to none, do drop every document of every tenant.")] = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Take the schema back to an earlier version, for an older rag-app.

    Going below 0006 loses a re-index that was begun; below 0005, the API keys; below 0004, the dense indexes, which a
    later upgrade and `rag-app db reindex` build anew; below 0003, the flags, their history and the shadow comparisons;
    below 0002, nothing; below 0001, to none, every document of every tenant. Stop what uses the database first: an
    application whose database.auto_upgrade is on brings the schema to the latest again, without what was lost.
    """
    from rag_app.errors import InvalidInputError
    from rag_app.storage import schema_version

    if version == schema_version.NONE and not yes:
        raise InvalidInputError("downgrading to none drops every document of every tenant: if you mean it, add --yes")
    with _database(profile, config, data_dir) as database:
        typer.echo(schema_version.downgrade(database, version))


@db.command()
def current(profile: Profile = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Show the version of the schema."""
    from rag_app.storage import schema_version

    with _database(profile, config, data_dir) as database:
        typer.echo(schema_version.current(database) or f"{schema_version.NONE}: run rag-app db upgrade")


@db.command()
def reindex(
    tenant: Annotated[str | None, typer.Option(help="Whose index; all tenants' without it.")] = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Build, measure or drop the dense index that each tenant's size asks for; ingestion does so by itself.

    Where the dense store is Qdrant, it is brought up to date first.
    """
    from dataclasses import asdict

    with opened(profile, config, data_dir, rerank={"load": "lazy"}) as application:
        found = application.reindex(tenant)
    if as_json:
        typer.echo(json.dumps([asdict(status) for status in found], ensure_ascii=False))
        return
    from rag_app.schema.terminal import isolated

    for status in found:
        typer.echo(f"{status.kind}, {status.chunks} chunks: {status.reason}  {isolated(status.tenant)}")


@contextmanager
def _database(profile: str | None, config: Path | None, data_dir: Path | None) -> Iterator[Database]:
    from rag_app.config import load_settings

    with opened_database(load_settings(config, profile=profile, data_dir=data_dir)) as database:
        yield database
