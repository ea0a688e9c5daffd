"""`rag-app keys`: who may call the HTTP API, and as which tenant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.cli.opening import prepared_database
from rag_app.cli.options import AsJson, Config, DataDir, Profile, Tenant

if TYPE_CHECKING:
    from rag_app.storage import ApiKey, KeyStore

keys = typer.Typer(no_args_is_help=True, help="The keys of the HTTP API, each of one tenant.")


@keys.command()
def create(
    tenant: Tenant,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "default",
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it, this once: only its hash is stored."""
    with _opened(profile, config, data_dir) as store:
        key, secret = store.create(tenant, name)
    typer.echo(json.dumps({**_fields(key), "key": secret}, ensure_ascii=False) if as_json else secret)


@keys.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Whose keys; all tenants' without it.")] = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Show the keys: id, tenant, name, since when, and the hour of their last use."""
    with _opened(profile, config, data_dir) as store:
        found = store.list(tenant)
    if as_json:
        typer.echo(json.dumps([_fields(key) for key in found], ensure_ascii=False))
        return
    from rag_app.schema.terminal import isolated

    for key in found:
        used = "never used" if key.last_used_at is None else f"last used {key.last_used_at:%Y-%m-%d %H:00}"
        state = used if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        typer.echo(f"{key.id:<5}{key.created_at:%Y-%m-%d}  {state:<27}{isolated(key.tenant)}  {isolated(key.name)}")


@keys.command()
def revoke(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="The key's id; `rag-app keys list` shows it.")],
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Refuse a key from now on; running servers do within 10 s."""
    with _opened(profile, config, data_dir) as store:
        revoked = store.revoke(key_id)
    told = f"key {key_id} is revoked" if revoked else f"there is no valid key {key_id}: rag-app keys list"
    typer.echo(json.dumps({"revoked": revoked}) if as_json else told)
    if not revoked:
        raise typer.Exit(1)


@contextmanager
def _opened(profile: str | None, config: Path | None, data_dir: Path | None) -> Iterator[KeyStore]:
    """Open the keys alone, not the whole application."""
    from rag_app.config import load_settings
    from rag_app.storage import KeyStore

    with prepared_database(load_settings(config, profile=profile, data_dir=data_dir)) as database:
        yield KeyStore(database)


def _fields(key: ApiKey) -> dict[str, Any]:
    moments = {name: getattr(key, name) for name in ("created_at", "revoked_at", "last_used_at")}
    told = {name: None if moment is None else moment.isoformat() for name, moment in moments.items()}
    return {"id": key.id, "tenant": key.tenant, "name": key.name, **told}
