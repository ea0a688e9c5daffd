"""`rag-app serve`: the HTTP API and the web page."""

from __future__ import annotations

from typing import Annotated

import typer

from rag_app.cli.options import Config, DataDir, Profile, opened


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; 127.0.0.1 by default, this machine alone.")] = None,
    port: Annotated[int | None, typer.Option(help="8000 by default; 0 takes a free one.")] = None,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the HTTP API and the web page until SIGTERM; requests that run then come to their end."""
    import logging

    from rag_app.server import serve as run

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with opened(profile, config, data_dir, server=given) as application:
        application.warm_up()
        run(application)
