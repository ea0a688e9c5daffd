"""The tasks. Each changes nothing when it is run again, so one whose worker was lost is simply run again."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from celery.signals import worker_process_shutdown

from rag_app.errors import DatabaseUnavailableError, InvalidInputError, RagAppError

if TYPE_CHECKING:
    from rag_app.app import RagApp

_EVERY = 20
_EVERY_S = 1.0
_AGAIN = {
    "serializer": "json",
    "acks_late": True,
    "reject_on_worker_lost": True,
    "throws": (RagAppError,),  # a line in the log, and no traceback
    "autoretry_for": (DatabaseUnavailableError,),
    "max_retries": 10,  # over some 15 minutes, as half of each wait is random
    "retry_backoff": 2,
    "retry_backoff_max": 600,
}


@shared_task(bind=True, name="rag_app.ingest", **_AGAIN)  # type: ignore[untyped-decorator]
def ingest(
    self: Task, items: list[dict[str, Any] | str], *, tenant: str, source: str | None = None, prune: bool = False
) -> dict[str, Any]:
    """Store documents for `tenant`, and tell meanwhile how many are done and the id of the last, as PROGRESS.

    Args:
        self: the task as it runs.
        items: records (`{"id", "text", "title", "source", "metadata"}`), or absolute paths of files and folders as the
            worker sees them. A task of a few hundred documents is soon run again where its worker was lost.
        tenant: whose documents they are.
        source: the source of documents that name none.
        prune: delete what `source`, or the tenant, has beside these items; so name all of them in one task.

    Returns:
        The `IngestReport` as a dict. Of a task that was run again, what was stored before counts as unchanged.

    Raises:
        InvalidInputError: an argument can not be used.
        IndexMismatchError: the stored index was built with another analyser or embedding.
        DatabaseUnavailableError: the database did not answer for about 15 minutes.
    """
    if not isinstance(items, list):
        raise InvalidInputError(f"items must be a list of records and paths, not {type(items).__name__}")
    relative = [item for item in items if isinstance(item, str) and not Path(item).is_absolute()]
    if relative:
        raise InvalidInputError(
            f"a path must be absolute, for the worker runs in another folder; {relative[0]!r} is not"
        )
    told_at = 0.0

    def tell(done: int, doc_id: str) -> None:
        nonlocal told_at
        now = time.monotonic()
        if done % _EVERY == 0 or now - told_at >= _EVERY_S:
            told_at = now
            self.update_state(state="PROGRESS", meta={"done": done, "last_id": doc_id})

    return asdict(_application().ingest(items, tenant=tenant, source=source, prune=prune, progress=tell))


@shared_task(name="rag_app.delete", **_AGAIN)  # type: ignore[untyped-decorator]
def delete(
    *, tenant: str, documents: list[str] | None = None, source: str | None = None, everything: bool = False
) -> dict[str, int]:
    """Delete documents of `tenant` by id, all of a source, or everything, and return `{"deleted": how many}`.

    Raises:
        InvalidInputError: not exactly one of the three is named, or an argument can not be used.
        DatabaseUnavailableError: the database did not answer for about 15 minutes.
    """
    if sum((documents is not None, source is not None, everything)) != 1:
        raise InvalidInputError("name what to delete by one of documents, source and everything")
    if documents is not None and not isinstance(documents, list):
        raise InvalidInputError(f"documents must be a list of ids, not {type(documents).__name__}")
    application = _application()
    if documents is not None:
        return {"deleted": sum(application.delete(doc_id, tenant=tenant) for doc_id in documents)}
    if source is not None:
        return {"deleted": application.delete_source(source, tenant=tenant)}
    return {"deleted": application.delete_tenant(tenant)}


@shared_task(name="rag_app.reindex", **_AGAIN)  # type: ignore[untyped-decorator]
def reindex(*, tenant: str | None = None) -> list[dict[str, Any]]:
    """Build, measure or drop the dense index that a tenant's size asks for, or those of all tenants.

    Returns:
        For each tenant its `DenseIndexStatus` as a dict.

    Raises:
        DatabaseUnavailableError: the database did not answer for about 15 minutes.
        StorageError: the database's user does not own the tables.
    """
    return [asdict(status) for status in _application().reindex(tenant)]


def _application() -> RagApp:
    """Return this process's application, which is opened by the first task where the worker has not done so."""
    from rag_app.process_app import default_app  # heavy, and not needed where tasks are only queued

    return default_app()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _close(**_: Any) -> None:
    loaded = sys.modules.get("rag_app.process_app")  # where it is not, nothing is open
    if loaded is not None:
        loaded.close_default_app()
