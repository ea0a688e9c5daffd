"""`rag-app flags`: what can be changed while every process runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.cli.flag_texts import hint_on, parsed_value, render_change, render_flags, render_history, shown_value
from rag_app.cli.opening import opened_flags
from rag_app.cli.options import AsJson, Config, DataDir, Profile

if TYPE_CHECKING:
    from rag_app.flags import FlagService

flags = typer.Typer(no_args_is_help=True, help="The flags, which act at run time in every process.")

Name = Annotated[str, typer.Argument(help="The flag; `rag-app flags list` names them all.")]
By = Annotated[str | None, typer.Option(help="Who changes it, for the history; else the user of the system.")]


@flags.command("list")
def list_flags(
    as_json: AsJson = False, profile: Profile = None, config: Config = None, data_dir: DataDir = None
) -> None:
    """Show every flag, its value, and who set it."""
    with _opened(profile, config, data_dir) as service:
        found = service.all()
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else render_flags(found))


@flags.command()
def get(
    name: Name,
    user: Annotated[str | None, typer.Option(help="Evaluate it for this user.")] = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Show what a flag says, for a user or at all, and why."""
    with _opened(profile, config, data_dir) as service:
        found = service.evaluate(name, user)
    typer.echo(json.dumps(asdict(found)) if as_json else f"{shown_value(found.value)} ({found.reason})")


@flags.command("set")
def set_flag(
    name: Name,
    value: Annotated[str, typer.Argument(help="true, false, a number or a name.")],
    ttl: Annotated[float | None, typer.Option(help="After how many seconds it falls back by itself.")] = None,
    by: By = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Set a flag in every process."""
    from rag_app.flags.who import system_user

    with _opened(profile, config, data_dir) as service:
        service.set(name, parsed_value(value), ttl=ttl, changed_by=by or system_user())
        found = service.all()
    if as_json:
        typer.echo(json.dumps({name: found[name], "hint": hint_on(name, found)}, ensure_ascii=False))
    else:
        typer.echo(render_change(name, found, ttl))


@flags.command()
def unset(
    name: Name,
    by: By = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Have a flag be as configured again."""
    from rag_app.flags.who import system_user

    with _opened(profile, config, data_dir) as service:
        service.unset(name, changed_by=by or system_user())
        found = service.all()[name]
    typer.echo(json.dumps({name: found}, ensure_ascii=False) if as_json else f"{name} is {shown_value(found['value'])}")


@flags.command()
def history(
    name: Annotated[str | None, typer.Argument(help="One flag alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many changes to show.")] = 20,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Show who changed what and when, newest first."""
    with _opened(profile, config, data_dir) as service:
        changes = service.history(name, limit)
    if as_json:
        typer.echo(json.dumps([asdict(change) for change in changes], ensure_ascii=False))
        return
    for line in render_history(changes):
        typer.echo(line)


@contextmanager
def _opened(profile: str | None, config: Path | None, data_dir: Path | None) -> Iterator[FlagService]:
    from rag_app.config import load_settings

    with opened_flags(load_settings(config, profile=profile, data_dir=data_dir)) as service:
        yield service
