"""What several commands share: their options, an open application, a bar that shows how far a command is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.errors import InvalidInputError

if TYPE_CHECKING:
    from rag_app.app import RagApp
    from rag_app.ingestion import Progress

Profile = Annotated[str | None, typer.Option(help="embedded (default) or production.")]
Config = Annotated[Path | None, typer.Option(help="A YAML file of settings.")]
DataDir = Annotated[Path | None, typer.Option(help="Where the embedded database lives; .rag_app by default.")]
Tenant = Annotated[str, typer.Option(help="Whose documents.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]


@contextmanager
def opened(profile: str | None, config: Path | None, data_dir: Path | None, **settings: Any) -> Iterator[RagApp]:
    """Open an application for the block; `settings` override what the file and the environment say."""
    from rag_app.app import RagApp

    with RagApp.from_config(config, profile=profile, data_dir=data_dir, **settings) as application:
        yield application


@contextmanager
def progress_bar(of: str = "documents", *, shown: bool = True) -> Iterator[Progress | None]:
    """Show a bar on a terminal; nothing where the output goes to a file or if it is not to be `shown`."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (TextColumn(f"{{task.completed}} {of}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, doc_id: bar.update(task, completed=done, description=doc_id)


def check_sources(primary: str | None, secondary: list[str] | None) -> None:
    """Refuse further sources without a primary one, before anything is opened or read for them.

    Raises:
        InvalidInputError: there are such.
    """
    if secondary and primary is None:
        raise InvalidInputError(
            f"--secondary-source {secondary[0]} needs a --primary-source beside it; to search it alone: "
            f"--primary-source {secondary[0]}"
        )


def parsed_filters(given: list[str] | None) -> dict[str, Any] | None:
    """Return the filters of `KEY=TEXT` and `KEY:=JSON`; a text stays a text, also if it looks like a number.

    Raises:
        InvalidInputError: one is neither.
    """
    filters: dict[str, Any] = {}
    for entry in given or ():
        key, separator, value = entry.partition("=")
        if not separator:
            raise InvalidInputError(f"a filter is KEY=TEXT or KEY:=JSON, not {entry!r:.200}")
        try:
            filters[key.removesuffix(":")] = json.loads(value) if key.endswith(":") else value
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(f"the filter {entry!r:.200} holds no JSON behind := : {error}") from error
    return filters or None
