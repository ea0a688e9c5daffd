"""`rag-app flags`: what can be changed while every process runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, flag in found.items():
        typer.echo(f"{name:<34}{_shown(flag['value']):<12}{_origin(flag)}")


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
    typer.echo(json.dumps(asdict(found)) if as_json else f"{_shown(found.value)} ({found.reason})")


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
        service.set(name, _parsed(value), ttl=ttl, changed_by=by or system_user())
        found = service.all()
    hint = _hint(name, found)
    if as_json:
        typer.echo(json.dumps({name: found[name], "hint": hint}, ensure_ascii=False))
        return
    typer.echo(f"{name} is {_shown(found[name]['value'])}{'' if ttl is None else f', for {ttl:g} s'}")
    if hint is not None:
        typer.echo(hint)


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
    typer.echo(json.dumps({name: found}, ensure_ascii=False) if as_json else f"{name} is {_shown(found['value'])}")


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
    for change in changes:
        until = f", until {change.expires_at[:19]}" if change.expires_at else ""
        became = "unset" if change.action == "unset" else _shown(change.new)
        typer.echo(
            f"{change.changed_at[:19]}  {change.name}: {_shown(change.old)} -> {became}{until}, by {change.changed_by}"
        )


@contextmanager
def _opened(profile: str | None, config: Path | None, data_dir: Path | None) -> Iterator[FlagService]:
    """Open the flags alone, not the whole application."""
    from rag_app.config import load_settings
    from rag_app.errors import ConfigurationError
    from rag_app.factory import open_database, open_flags, prepare_schema

    settings = load_settings(config, profile=profile, data_dir=data_dir)
    if settings.flags.backend == "memory":
        raise ConfigurationError(
            "flags.backend is memory, and each process has flags of its own: set them there by FeatureFlags.set_flag, "
            "or choose postgres or redis"
        )
    database = open_database(settings)
    try:
        prepare_schema(settings, database)
        service = open_flags(settings, database)
        try:
            service.refresh()  # what was read is told, or that it can not be read
            yield service
        finally:
            service.close()
    finally:
        database.engine.dispose()


def _hint(name: str, found: dict[str, dict[str, Any]]) -> str | None:
    """Say what keeps a change from having the effect that its author may expect."""
    from rag_app.flags.definitions import ROLLOUT, ROLLOUT_SHARE

    switch, share = found[ROLLOUT], found[ROLLOUT_SHARE]
    if name == ROLLOUT_SHARE and switch["reason"] == "DISABLED":
        return f"it has no effect while {ROLLOUT} is set to false: rag-app flags unset {ROLLOUT}"
    if name == ROLLOUT and switch["value"] is True and share["set"] and share["value"] < 100:
        return (
            f"users get it by the percentage, which is {share['value']:g}: for all, rag-app flags unset {ROLLOUT_SHARE}"
        )
    return None


def _parsed(value: str) -> Any:
    """Return the value that a text stands for; what is valid for a flag is the flag's to say."""
    words = {"true": True, "on": True, "false": False, "off": False}
    if value.lower() in words:
        return words[value.lower()]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _origin(flag: dict[str, Any]) -> str:
    if not flag["set"]:
        return "as configured"
    left = flag["expires_in_s"]
    end = "" if left is None else f", {left:.0f} s left" if left > 0 else ", its time is over"
    return f"set by {flag['changed_by']} at {flag['changed_at'][:19]}{end}"
