"""`rag-app shadow`: what the new pipeline would have done with the requests that the old one served."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.cli.opening import prepared_database
from rag_app.cli.options import AsJson, Config, DataDir, Profile

if TYPE_CHECKING:
    from rag_app.storage.shadow_store import ShadowSummary

shadow = typer.Typer(no_args_is_help=True, help="The new pipeline, run beside the old one that serves.")


@shadow.command()
def report(
    hours: Annotated[float, typer.Option(help="How far back.")] = 24,
    as_json: AsJson = False,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Show how the two pipelines compared."""
    from rag_app.config import load_settings
    from rag_app.storage import ShadowStore

    with prepared_database(load_settings(config, profile=profile, data_dir=data_dir)) as database:
        summary = ShadowStore(database).summary(hours)
    if as_json:
        typer.echo(json.dumps(asdict(summary) if summary else {"hours": hours, "comparisons": 0}))
    elif summary is None:
        typer.echo(
            f"no comparison in the last {hours:g} h; this compares 10 of 100 requests that the old pipeline serves:\n"
            "  rag-app flags set production_rag_shadow_percentage 10"
        )
    else:
        typer.echo(_shown(summary))


def _shown(summary: ShadowSummary) -> str:
    old, new = summary.context_retriever, summary.production_rag
    rows = [
        ("context_retriever", "production_rag", ""),
        (f"{old.p50_ms:.1f}", f"{new.p50_ms:.1f}", "ms, p50"),
        (f"{old.p95_ms:.1f}", f"{new.p95_ms:.1f}", "ms, p95"),
        (f"{old.chunks:.1f}", f"{new.chunks:.1f}", "chunks"),
        (f"{old.alone_empty:.1%}", f"{new.alone_empty:.1%}", "found nothing where the other did"),
        (f"{old.degraded:.1%}", f"{new.degraded:.1%}", "degraded"),
    ]
    lines = [
        f"{summary.comparisons} comparisons in the last {summary.hours:g} h: {summary.overlap:.1%} of the documents in "
        f"common, the same first one in {summary.same_first:.1%}",
        "",
        *(f"{served:>17}  {shadowed:>14}  {what}".rstrip() for served, shadowed, what in rows),
    ]
    return "\n".join(lines)
