"""`rag-app serve`: the HTTP API and the web page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.cli.options import Config, DataDir, Profile, opened

if TYPE_CHECKING:
    from rag_app.app import RagApp


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; 127.0.0.1 by default, this machine alone.")] = None,
    port: Annotated[int | None, typer.Option(help="8000 by default; 0 takes a free one.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="On one port; 1 by default. SIGHUP renews them.")] = None,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the HTTP API and the web page until SIGTERM; requests that run then come to their end."""
    from rag_app.config import load_settings
    from rag_app.server import serve as run
    from rag_app.server import serve_processes

    options = {"host": host, "port": port, "processes": processes}
    given = {name: value for name, value in options.items() if value is not None}
    settings = load_settings(config, profile=profile, data_dir=data_dir, server=given)
    _log_lines()
    if settings.server.processes > 1:
        serve_processes(partial(_opened, profile, config, data_dir, given), settings.server)
        return
    with opened(profile, config, data_dir, server=given) as application:
        application.warm_up()
        run(application)


@contextmanager
def _opened(
    profile: str | None, config: Path | None, data_dir: Path | None, server: dict[str, Any]
) -> Iterator[RagApp]:
    """Open the application in a process of its own."""
    _log_lines()
    with opened(profile, config, data_dir, server=server) as application:
        yield application


def _log_lines() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
