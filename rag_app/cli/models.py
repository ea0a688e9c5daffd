"""`rag-app models`: the cross-encoders on this machine. Only `pull` uses the network."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from rag_app.cli.options import AsJson

models = typer.Typer(no_args_is_help=True, help="The models of the cross-encoder.")

Model = Annotated[str, typer.Argument(help="base, large, multilingual, the id of a model on the hub, or a folder.")]


@dataclass(frozen=True)
class _Listed:
    """A model that has an alias or is in the hub's cache; `folder` is None where it is not on this machine."""

    model: str
    alias: str | None
    folder: str | None = None
    megabytes: float = 0.0
    int8: str | None = None


@models.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Show which models are on this machine, and where."""
    from rag_app.cross_encoder.models import hub_cache, own_cache

    listed = _listed()
    if as_json:
        folders = {"hub_cache": str(hub_cache()), "own_cache": str(own_cache())}
        typer.echo(json.dumps({"models": [asdict(entry) for entry in listed], **folders}, ensure_ascii=False))
        return
    for entry in listed:
        typer.echo(_line(entry))
    typer.echo(f"cache of the hub: {hub_cache()} (HF_HUB_CACHE or HF_HOME moves it)")
    typer.echo(f"int8 exports and measured precisions: {own_cache()} (RAG_APP_CACHE_DIR moves it)")


@models.command()
def pull(model: Model) -> None:
    """Download a model into the cache of the hub, and print its folder."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # read when the hub's library is imported
    from rag_app.cross_encoder.models import pull_model

    typer.echo(pull_model(model))


@models.command()
def path(model: Model) -> None:
    """Print the folder of a model on this machine."""
    from rag_app.cross_encoder.models import find_model

    typer.echo(find_model(model))


@models.command()
def export(
    model: Model,
    int8: Annotated[bool, typer.Option("--int8", help="Write it as int8, which is faster on many processors.")] = False,
    output: Annotated[Path | None, typer.Option(help="The folder to write; else one where it is found.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model on this machine in another precision; an export that is there already is left as it is."""
    from rag_app.cross_encoder.loading import failures_explained
    from rag_app.cross_encoder.models import find_model, int8_folder, is_int8_export, megabytes
    from rag_app.errors import InvalidInputError

    if not int8:
        raise InvalidInputError(f"int8 is what a model can be exported to: rag-app models export {model} --int8")
    folder = find_model(model)
    written = int8_folder(folder) if output is None else output
    fresh = not is_int8_export(written)
    if fresh:
        with failures_explained(model):
            from rag_app.cross_encoder.export import export_int8

            export_int8(folder, written)
    size = megabytes(written)
    if as_json:
        typer.echo(json.dumps({"folder": str(written), "megabytes": size, "written": fresh}, ensure_ascii=False))
    else:
        typer.echo(f"{'written' if fresh else 'already there'}: {written}, {size:.1f} MB")


def _listed() -> list[_Listed]:
    """Return the models in the hub's cache, and those with an alias that are not there."""
    from rag_app.cross_encoder.models import ALIASES, cached_models, int8_folder, is_int8_export

    aliases = {name: alias for alias, name in ALIASES.items()}
    found = []
    for cached in cached_models():
        exported = int8_folder(cached.folder)
        int8 = str(exported) if is_int8_export(exported) else None
        alias = aliases.get(cached.model)
        found.append(_Listed(cached.model, alias, str(cached.folder), cached.megabytes, int8))
    here = {entry.model for entry in found}
    return [_Listed(name, alias) for name, alias in aliases.items() if name not in here] + found


def _line(entry: _Listed) -> str:
    name = f"{entry.alias} ({entry.model})" if entry.alias else entry.model
    if entry.folder is None:
        return f"{name}: not on this machine; rag-app models pull {entry.alias}"
    return f"{name}: {entry.megabytes:.1f} MB in {entry.folder}; int8: {entry.int8 or 'not exported'}"
