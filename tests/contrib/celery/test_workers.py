"""Two real workers on a real Redis. What is killed is in the middle of a task, held there by a lock in the database."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery, _state
from celery.result import AsyncResult
from sqlalchemy import text

from rag_app.config import load_settings
from rag_app.contrib.celery import open_queue
from rag_app.storage import Database, schema_version
from tests.conftest import INSTITUTE
from tests.servers import redis_server

COMMAND = [sys.executable, "-c", "from rag_app.cli import main; main()"]
TOLD, HELD = 20, 30  # the last progress before the document that the lock is on, and that
PATIENCE_S = 60


@dataclass
class Crew:
    """The queue, its workers by name, their logs, and the database they write to."""

    queue: Celery
    database: Database
    workers: dict[str, subprocess.Popen[bytes]]
    folder: Path
    environment: dict[str, str]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8")

    def works_on(self, task: AsyncResult) -> str:
        """The name of the worker that has the task."""
        active = self.queue.control.inspect(timeout=5, limit=2).active() or {}
        return next(node.partition("@")[0] for node, tasks in active.items() if task.id in {own["id"] for own in tasks})


@pytest.fixture(scope="module")
def crew(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder, url = tmp_path_factory.mktemp("crew"), new_database()
    with redis_server(folder) as redis:
        database = Database(url)
        schema_version.upgrade(database)
        broker = redis.replace("unix://", "redis+socket://")
        before = _state._tls.current_app
        queue = open_queue(load_settings(worker={"broker_url": broker, "visibility_timeout_s": 5}))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAG_APP_")},
            "DATABASE_URL": url,
            "RAG_APP_WORKER__BROKER_URL": broker,
            "RAG_APP_WORKER__VISIBILITY_TIMEOUT_S": "5",
            "RAG_APP_INGESTION__BATCH_SIZE": "10",
        }
        workers = {}
        for name in ("one", "two"):
            with (folder / f"{name}.log").open("w") as log:
                options: dict[str, Any] = {"stdout": log, "stderr": log, "start_new_session": True, "env": environment}
                workers[name] = subprocess.Popen([*COMMAND, "worker", "--concurrency", "1", "--name", name], **options)
        yield Crew(queue, database, workers, folder, environment)
        for worker in workers.values():
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(PATIENCE_S)
        gc.collect()  # results tell the backend that nobody waits for them any more, while there is one
        queue.backend.client.close()
        queue.close()
        _state._set_current_app(before)
        database.engine.dispose()


@contextmanager
def held(crew: Crew, tenant: str, doc_id: str) -> Iterator[None]:
    """Let no worker get past a document while the block runs."""
    row = "INSERT INTO rag_app.documents (tenant, doc_id, source, title, content_hash, metadata, chunks, generation)"
    with crew.database.engine.connect() as connection:
        connection.execute(
            text(f"{row} VALUES (:tenant, :doc_id, 's', '', '', '{{}}', 0, 0)"), {"tenant": tenant, "doc_id": doc_id}
        )
        yield
        connection.rollback()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def stuck(task: AsyncResult) -> bool:
    """Whether all is done that it tells of before the document that is held."""
    return task.state == "PROGRESS" and task.info["done"] >= TOLD


def documents(first: int, after: int) -> list[dict[str, str]]:
    return [{"id": f"d{number}", "text": f"سند {number} دربارهٔ ارسال کالا است."} for number in range(first, after)]


def test_the_command_line_lets_files_wait_for_a_worker(crew: Crew, tenant: str) -> None:
    files = os.path.relpath(INSTITUTE / "documents" / "faq")
    ingest = [*COMMAND, "ingest", files, "--tenant", tenant, "--queue", "--json"]
    printed = subprocess.run(ingest, env=crew.environment, stdout=subprocess.PIPE, check=True).stdout
    report = crew.queue.AsyncResult(json.loads(printed)["task"]).get(timeout=PATIENCE_S)
    assert report["added"] > 0
    assert report["skipped"] == []


def test_a_task_whose_process_was_killed_is_run_again_at_once(crew: Crew, tenant: str) -> None:
    from rag_app.contrib.celery.tasks import ingest

    with held(crew, tenant, f"d{HELD}"):
        task = ingest.delay(documents(0, 50), tenant=tenant, source="manual")
        until(lambda: stuck(task))
        worker = crew.workers[crew.works_on(task)]
        for child in psutil.Process(worker.pid).children():
            child.kill()
    report = task.get(timeout=PATIENCE_S)
    assert TOLD <= report["unchanged"] <= HELD
    assert (report["added"], report["skipped"]) == (50 - report["unchanged"], [])
    assert worker.poll() is None


def test_what_a_killed_worker_had_the_other_does_and_every_document_is_there_once(crew: Crew, tenant: str) -> None:
    from rag_app.contrib.celery.tasks import ingest

    with held(crew, tenant, f"d{HELD}"):
        tasks = [ingest.delay(documents(first, first + 50), tenant=tenant) for first in range(0, 200, 50)]
        lost = tasks[0]
        until(lambda: stuck(lost))
        killed = crew.works_on(lost)
        os.killpg(crew.workers[killed].pid, signal.SIGKILL)
        assert crew.workers[killed].wait(PATIENCE_S) == -signal.SIGKILL
        assert not lost.ready()
    reports = [task.get(timeout=PATIENCE_S) for task in tasks]
    assert all(report["added"] + report["unchanged"] == 50 and report["skipped"] == [] for report in reports)
    assert reports[0]["unchanged"] >= TOLD

    (other,) = set(crew.workers) - {killed}
    assert f"{lost.id}] received" in crew.log(killed)
    assert f"{lost.id}] succeeded" not in crew.log(killed)
    assert f"{lost.id}] succeeded" in crew.log(other)
    chunks = "SELECT count(*) FROM rag_app.data_chunks AS own WHERE own.tenant = stored.tenant"
    whole = f"chunks > 0 AND chunks = ({chunks} AND own.doc_id = stored.doc_id)"
    counted = text(f"""
        SELECT count(*), count(DISTINCT doc_id), bool_and({whole}) FROM rag_app.documents AS stored
        WHERE tenant = :tenant
    """)
    with crew.database.engine.connect() as connection:
        assert tuple(connection.execute(counted, {"tenant": tenant}).one()) == (200, 200, True)

    crew.workers[other].terminate()
    assert crew.workers[other].wait(PATIENCE_S) == 0
