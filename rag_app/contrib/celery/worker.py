"""A worker: a process that takes tasks and forks those that run them."""

from __future__ import annotations

import os
import socket
from typing import Any

from celery.signals import worker_process_init
from celery.utils.nodenames import nodename

from rag_app.config import Settings
from rag_app.contrib.celery.application import open_queue
from rag_app.errors import RagAppError
from rag_app.factory import open_database, prepare_schema
from rag_app.logs import get_logger
from rag_app.process_app import default_app  # its libraries load here, before the fork, so that processes share them

logger = get_logger(__name__)


def run_worker(settings: Settings, *, loglevel: str = "INFO", name: str | None = None) -> int:
    """Work until SIGTERM, which lets the tasks that run come to their end, and return the exit status.

    The processes open the application that `rag_app.configure` describes.

    Args:
        settings: `worker`, and the database, which must answer when the worker starts.
        loglevel: as Celery has them, such as "INFO"; at "DEBUG" Celery writes tasks with their documents.
        name: the part of its name before the host's, which no other worker there may have; "rag_app-" and the process
            id if None.

    Raises:
        ConfigurationError: a setting of `worker` is missing or can not be used.
        StorageError: the database does not start, does not answer or has another schema.
    """
    queue = open_queue(settings)
    database = open_database(settings)
    try:
        prepare_schema(settings, database)
    finally:
        database.engine.dispose()
    worker_process_init.connect(_open)
    worker = queue.Worker(
        hostname=nodename(name or f"rag_app-{os.getpid()}", socket.gethostname()),
        concurrency=settings.worker.concurrency,
        loglevel=loglevel,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _open(**_: Any) -> None:
    try:
        default_app()
    except RagAppError as error:
        logger.warning("the application does not open now, the first task will try again: %s", error)
