"""`rag-app worker`, which runs the tasks that wait, and the one that `rag-app ingest --queue` lets wait."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rag_app.cli.options import Config, DataDir, Profile

if TYPE_CHECKING:
    from rag_app.config import Settings

Level = Literal["debug", "info", "warning", "error", "critical"]


def worker(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Tasks at once; worker.concurrency else, 2.")] = None,
    loglevel: Annotated[Level, typer.Option(help="At debug, Celery writes the documents of tasks too.")] = "info",
    name: Annotated[str | None, typer.Option(help="Its name, which no other worker of this machine has.")] = None,
    profile: Profile = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Ingest, delete and re-index in the background, as tasks ask, until SIGTERM; tasks that run come to their end."""
    from rag_app.cli.documents import LAZY
    from rag_app.config import load_settings
    from rag_app.contrib.celery import open_queue
    from rag_app.process_app import configure

    given: dict[str, Any] = {"profile": profile, "data_dir": data_dir, "rerank": LAZY}
    if concurrency is not None:
        given["worker"] = {"concurrency": concurrency}
    settings = load_settings(config, **given)
    open_queue(settings)  # before what needs Celery is imported
    configure(config, **given)
    from rag_app.contrib.celery.worker import run_worker

    raise typer.Exit(run_worker(settings, loglevel=loglevel.upper(), name=name))


def queued(settings: Settings, paths: Iterable[Path], **options: Any) -> str:
    """Let an ingestion of files and folders wait for a worker, which must see them under the same paths; return its id.

    Raises:
        ConfigurationError: a setting of `worker` is missing or can not be used.
        ComponentError: the broker does not answer.
    """
    from rag_app.contrib.celery import open_queue
    from rag_app.errors import ComponentError

    open_queue(settings)  # before what needs Celery is imported
    from kombu.exceptions import OperationalError

    from rag_app.contrib.celery.tasks import ingest

    try:
        return str(ingest.delay([str(path.absolute()) for path in paths], **options).id)
    except OperationalError as error:
        raise ComponentError(f"the broker that worker.broker_url names does not answer: {error}") from error
