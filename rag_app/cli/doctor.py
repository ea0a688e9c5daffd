"""`rag-app doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.cli.options import AsJson, Config, DataDir, Profile

if TYPE_CHECKING:
    from rag_app.doctor import Check


def doctor(
    model: Annotated[str | None, typer.Option(help="A model to look at; else the configured one.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose documents to look at.")] = None,
    source: Annotated[str | None, typer.Option(help="A source that the tenant should have.")] = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Say what keeps retrieval from working well here, and what to do about it."""
    from rag_app.config import load_settings
    from rag_app.doctor import TROUBLESHOOTING, examine

    settings = load_settings(config, profile=profile, data_dir=data_dir)
    checks = []
    for check in examine(settings, model=model, tenant=tenant, source=source):
        checks.append(check)
        if not as_json:  # at once: what comes next may take long
            typer.echo(shown(check))
    if as_json:
        found = {"checks": [asdict(check) for check in checks], "troubleshooting": TROUBLESHOOTING}
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        typer.echo("\ntroubleshooting")
        for trouble, answer in TROUBLESHOOTING.items():
            typer.echo(f"  {trouble}\n    {answer}")
    if any(check.state == "problem" for check in checks):
        raise typer.Exit(1)


def shown(check: Check) -> str:
    """Return a finding as a line, with its answer on a second one."""
    from rag_app.schema.terminal import isolated

    line = f"{check.state:<8} {check.name}: {isolated(check.finding)}"
    return f"{line}\n{'answer:':>16} {isolated(check.answer)}" if check.answer else line
