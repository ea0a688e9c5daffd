"""`rag-app config` and `rag-app init`: what is set, from where, and what can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.cli.options import AsJson, Config, DataDir, Profile

if TYPE_CHECKING:
    from rag_app.config import Effective

config_app = typer.Typer(no_args_is_help=True, help="The settings: what holds, from where, and what can be set.")


@config_app.command()
def show(as_json: AsJson = False, profile: Profile = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Show every setting and where it came from; what is printed can be used as a file of settings."""
    from rag_app.config import effective_settings

    settings = effective_settings(config, profile=profile, data_dir=data_dir)
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in settings], ensure_ascii=False, indent=1))
        return
    for line in _as_yaml(settings):
        typer.echo(line)


@config_app.command()
def schema() -> None:
    """Print the JSON Schema of a file of settings, for editors."""
    from rag_app.config import Settings

    typer.echo(json.dumps(Settings.model_json_schema(), indent=1))


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("rag_app.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a file of all settings, each with its default and what it means, commented out."""
    from rag_app.config import template
    from rag_app.errors import InvalidInputError

    if file.exists() and not force:
        raise InvalidInputError(f"{file} exists: name another file, or add --force to overwrite it")
    file.touch(mode=0o600)  # keys and passwords may come to stand in it
    file.write_text(template(), "utf-8")
    typer.echo(f"{file}: take away the # of what you change, and set RAG_APP_CONFIG={file} or pass --config {file}")


def _as_yaml(settings: list[Effective]) -> list[str]:
    """Return lines of YAML, each setting with its origin as a comment; secrets are comments themselves."""
    lines: list[tuple[str, str]] = []
    before: list[str] = []
    for name, value, origin in settings:
        *sections, last = name.split(".")
        for depth, section in enumerate(sections):
            if sections[: depth + 1] != before[: depth + 1]:
                lines.append((f"{'  ' * depth}{section}:", ""))
        before = sections
        indent = "  " * len(sections)
        comment = "# " if value == "*****" else ""
        lines.append((f"{indent}{comment}{last}: {json.dumps(value, ensure_ascii=False)}", origin))
    width = min(60, max(len(line) for line, _ in lines))
    return [f"{line:<{width}}  # {origin}" if origin else line for line, origin in lines]
