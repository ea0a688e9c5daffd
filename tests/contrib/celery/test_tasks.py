"""The tasks in a Celery application of the user's own, run in this process, and the queue that rag_app makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, _state

import rag_app
from rag_app.config import load_settings
from rag_app.contrib.celery import open_queue
from rag_app.errors import ConfigurationError, DatabaseUnavailableError, InvalidInputError
from rag_app.process_app import close_default_app
from tests.conftest import INSTITUTE

SECRET = "s3cr3t-word"


@pytest.fixture(autouse=True)
def _other_applications_stay_current() -> Iterator[None]:
    before = _state._tls.current_app
    yield
    _state._set_current_app(before)


@pytest.fixture(scope="module")
def database_url(new_database: Callable[[], str]) -> Iterator[str]:
    yield new_database()
    close_default_app()
    rag_app.process_app._settings = None


@pytest.fixture
def shop(database_url: str) -> Celery:
    """A Celery application as a Django project has it, which takes in the tasks."""
    if rag_app.process_app._settings is None:
        rag_app.configure(database={"url": database_url})
    own = Celery("shop", broker="memory://", backend="cache+memory://")
    own.autodiscover_tasks(["rag_app.contrib.celery"])
    own.loader.import_default_modules()
    return own


def run(shop: Celery, task: str, *args: Any, **kwargs: Any) -> Any:
    """Run a task here; what goes in and comes out is what JSON leaves of it."""
    sent = json.loads(json.dumps([args, kwargs]))
    return json.loads(json.dumps(shop.tasks[f"rag_app.{task}"].apply(*sent).get()))


def test_records_and_files_are_ingested_and_the_same_again_change_nothing(shop: Celery, tenant: str) -> None:
    records = [{"id": f"d{number}", "text": f"سند {number}"} for number in range(3)]
    items = [*records, str(INSTITUTE / "documents" / "faq"), {"id": "no-text"}]
    report = run(shop, "ingest", items, tenant=tenant, source="manual")
    assert report["added"] > 3
    assert [entry["origin"] for entry in report["skipped"]] == ["no-text"]
    again = run(shop, "ingest", items, tenant=tenant, source="manual")
    assert (again["added"], again["unchanged"], again["chunks"]) == (0, report["added"], 0)


def test_documents_are_deleted_by_id_by_source_and_all(shop: Celery, tenant: str) -> None:
    run(shop, "ingest", [{"id": f"d{number}", "text": "متن"} for number in range(3)], tenant=tenant, source="manual")
    run(shop, "ingest", [{"id": f"f{number}", "text": "متن"} for number in range(3)], tenant=tenant, source="faq")
    assert run(shop, "delete", tenant=tenant, documents=["d0", "d1", "nowhere"]) == {"deleted": 2}
    assert run(shop, "delete", tenant=tenant, source="faq") == {"deleted": 3}
    assert run(shop, "delete", tenant=tenant, everything=True) == {"deleted": 1}
    assert run(shop, "delete", tenant=tenant, everything=True) == {"deleted": 0}


def test_reindexing_tells_how_a_tenant_is_searched(shop: Celery, tenant: str) -> None:
    run(shop, "ingest", [{"id": "d", "text": "متن"}], tenant=tenant)
    (status,) = run(shop, "reindex", tenant=tenant)
    assert (status["tenant"], status["kind"], status["chunks"]) == (tenant, "exact", 1)
    assert tenant in {status["tenant"] for status in run(shop, "reindex")}


@pytest.mark.parametrize(
    ("task", "arguments", "reason"),
    [
        ("ingest", {"items": "/documents"}, "items must be a list"),
        ("ingest", {"items": ["documents"]}, "a path must be absolute.*'documents'"),
        ("delete", {}, "name what to delete"),
        ("delete", {"source": "faq", "everything": True}, "name what to delete"),
        ("delete", {"documents": "d1"}, "documents must be a list"),
    ],
)
def test_arguments_that_can_not_be_used_are_refused_and_not_tried_again(
    shop: Celery, task: str, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        run(shop, task, tenant="t", **arguments)


def test_a_database_that_does_not_answer_is_tried_again_until_patience_ends(
    shop: Celery, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, runs = shop.tasks["rag_app.delete"], []
    assert (delete.acks_late, delete.reject_on_worker_lost, delete.serializer) == (True, True, "json")
    monkeypatch.setattr(delete, "max_retries", 2)
    before = delete._orig_run
    monkeypatch.setattr(delete, "_orig_run", lambda **given: [runs.append(1), before(**given)])
    rag_app.configure(database={"url": f"postgresql:///none?host={tmp_path}"})
    try:
        with pytest.raises(DatabaseUnavailableError):
            run(shop, "delete", tenant="t", everything=True)
    finally:
        rag_app.configure(database={"url": database_url})
    assert len(runs) == 3


def test_the_queue_takes_json_alone_from_where_the_settings_say() -> None:
    queue = open_queue(load_settings(worker={"broker_url": "redis://host/1", "visibility_timeout_s": 90}))
    assert queue.conf.accept_content == ["json"]
    assert queue.conf.result_backend == "redis://host/1"
    assert queue.conf.broker_transport_options["visibility_timeout"] == 90
    assert queue.conf.task_default_queue == "rag_app"
    queue.loader.import_default_modules()
    assert {"rag_app.ingest", "rag_app.delete", "rag_app.reindex"} <= set(queue.tasks)


@pytest.mark.parametrize(
    ("worker", "setting"),
    [
        ({}, "worker.broker_url is not set.*RAG_APP_WORKER__BROKER_URL="),
        ({"broker_url": f"reddis://:{SECRET}@host/0"}, "worker.broker_url can not be used"),
        ({"broker_url": f"redis://:{SECRET}@host:port/0"}, "worker.broker_url can not be used"),
        ({"broker_url": f"amqp://user:{SECRET}@host//"}, "worker.result_backend is not set"),
        (
            {"broker_url": f"amqp://user:{SECRET}@host//", "result_backend": f"reddis://:{SECRET}@host"},
            "worker.result_backend can not be used",
        ),
    ],
)
def test_a_queue_that_can_not_be_is_refused_by_the_setting_and_no_password_is_told(
    worker: dict[str, str], setting: str
) -> None:
    settings = load_settings(worker=worker)
    assert SECRET not in repr(settings)
    with pytest.raises(ConfigurationError, match=setting) as refused:
        open_queue(settings)
    assert SECRET not in str(refused.value)


def test_a_password_is_in_no_error_of_the_settings() -> None:
    with pytest.raises(ConfigurationError, match=r"worker\.broker_url") as refused:
        load_settings(worker={"broker_url": [f"redis://:{SECRET}@host"]})
    assert SECRET not in str(refused.value)


def test_without_celery_the_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'rag-app\[celery\]'"):
        open_queue(load_settings(worker={"broker_url": "redis://host/0"}))
