"""`rag-app verify`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.cli.doctor import shown
from rag_app.cli.options import AsJson, Config, DataDir, Profile

if TYPE_CHECKING:
    from rag_app.verification import SideBySide


def verify(
    tenant: Annotated[str | None, typer.Option(help="Whose documents to search; else a few of our own.")] = None,
    question: Annotated[list[str] | None, typer.Option(help="What to ask; may be given again.")] = None,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Check that everything works together, and show the old retriever beside the new one."""
    from rag_app.config import load_settings
    from rag_app.verification import verify as run

    settings = load_settings(config, profile=profile, data_dir=data_dir)
    found = run(settings, tenant=tenant, questions=question or ())
    if as_json:
        compared = [
            {"question": pair.question, "old": pair.old.as_dict(), "new": pair.new.as_dict()} for pair in found.compared
        ]
        answer = {"passed": found.passed, "checks": [asdict(check) for check in found.checks], "compared": compared}
        typer.echo(json.dumps(answer, ensure_ascii=False))
    else:
        for check in found.checks:
            typer.echo(shown(check))
        for pair in found.compared:
            typer.echo(side_by_side(pair))
        typer.echo("\neverything works" if found.passed else "\nsomething is wrong: see the problems above")
    if not found.passed:
        raise typer.Exit(1)


def side_by_side(pair: SideBySide) -> str:
    """Return what both retrievers found for a question, in a line each."""
    from rag_app.schema.terminal import isolated

    lines = [f"\n{isolated(pair.question)}", f"  {'':<20}{'chunks':>7}{'tokens':>8}{'ms':>8}  first document"]
    for result in (pair.old, pair.new):
        metadata = result.nodes[0].node.metadata if result.nodes else {}
        first = isolated(metadata.get("title") or metadata.get("doc_id", "none"))
        counts = f"{len(result.nodes):>7}{result.tokens:>8}{result.trace.total_ms:>8.1f}"
        lines.append(f"  {result.variant or result.method:<20}{counts}  {first}")
    return "\n".join(lines)
