"""`rag-app reindex`."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from rag_app.cli.options import AsJson, Config, DataDir, Profile, progress_bar


def reindex(as_json: AsJson = False, profile: Profile = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Make the whole index anew with the configured embedding, while the application goes on serving.

    Needed after a change of the embedding, or where a new version reads Persian in another way. Until the end all is
    served from the old index; then writes wait for a moment, and processes with the old settings search without the
    dense leg until they are started with the new ones. Killed and run again, it goes on. `rag-app db reindex` is for
    the dense indexes of large tenants alone.
    """
    from rag_app.config import load_settings
    from rag_app.factory import reindex as run

    settings = load_settings(config, profile=profile, data_dir=data_dir)
    with progress_bar("chunks") as progress:
        report = run(settings, progress)
    if as_json:
        typer.echo(json.dumps(asdict(report) if report is not None else None, ensure_ascii=False))
    elif report is None:
        typer.echo("nothing to do: the index is built with these settings, or is empty")
    else:
        went_on = ", going on from an earlier run" if report.resumed else ""
        typer.echo(f"made {report.chunks} chunks anew in {report.seconds:.1f} s{went_on}")
        for name, value in report.after.items():
            typer.echo(f"  {name}: {report.before.get(name)} -> {value}")
        typer.echo(
            "start every process with these settings now; `rag-app db reindex` builds large tenants' dense indexes"
        )
