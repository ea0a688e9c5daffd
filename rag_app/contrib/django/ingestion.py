"""Documents that follow models: what a transaction changed is ingested or deleted once it is committed."""

from __future__ import annotations

import os
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from django.db import transaction

from rag_app.errors import ConfigurationError, InvalidInputError, kind_of
from rag_app.logs import get_logger
from rag_app.users import tenant_of

if TYPE_CHECKING:
    from django.db.models import Model

_AT_EXIT_S = 30.0

logger = get_logger(__name__)


class Change(TypedDict):
    """What is to become of a document; of values that JSON has if its `document` is.

    `document` is a record as `RagApp.ingest` takes it, or None to delete the one of `doc_id`.
    """

    tenant: str
    doc_id: str
    document: dict[str, Any] | None


def ingest_on_commit(
    instance: Model,
    *,
    tenant: object,
    text: str,
    source: str | None = None,
    title: str = "",
    doc_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Store the document of a model when the transaction that it is saved in is committed; never on a rollback.

    For receivers of `post_save`. The work is done in the background, in the order of the commits, or by what
    `RAG_APP_INGEST` names. A failure is logged, without the text. A document whose text became empty is deleted.

    Args:
        instance: what was saved.
        tenant: whose document it is: an object with a `pk` or `id`, or a string or integer.
        text: what is to be found.
        source: the source; else "documents".
        title: the title.
        doc_id: the document's id; `app_label.model:pk` if None.
        metadata: further values that JSON has, which a call may filter by.

    Raises:
        InvalidInputError: `tenant` names none.
    """
    record = {"id": _doc_id(instance, doc_id), "text": text, "title": title, "source": source, "metadata": metadata}
    document = {name: value for name, value in record.items() if value is not None}
    _on_commit(instance, tenant, doc_id, document if text.strip() else None)


def delete_on_commit(instance: Model, *, tenant: object, doc_id: str | None = None) -> None:
    """Delete the document of a model when the transaction is committed that deletes it; for receivers of `post_delete`.

    Arguments and errors are those of `ingest_on_commit`.
    """
    _on_commit(instance, tenant, doc_id, None)


def apply_change(change: Change) -> None:
    """Do a change, on the application of this process; for what `RAG_APP_INGEST` names, such as a task of a queue.

    Raises:
        InvalidInputError: the document can not be stored as it is.
        StorageError: the database does not answer; it may do so later.
    """
    from rag_app.process_app import default_app

    if change["document"] is None:
        default_app().delete(change["doc_id"], tenant=change["tenant"])
        return
    report = default_app().ingest([change["document"]], tenant=change["tenant"])
    if report.skipped:
        raise InvalidInputError(report.skipped[0].reason)


def wait_for_ingestion(timeout_s: float | None = None) -> bool:
    """Wait until the changes so far are done in the background; False if that took longer than `timeout_s`."""
    with _lock:
        pool = _pool
    try:
        if pool is not None:
            pool.submit(int).result(timeout_s)
    except TimeoutError:
        return False
    return True


def hook() -> Callable[[Change], Any] | None:
    """Return what `RAG_APP_INGEST` names, or None if it is not set.

    Raises:
        ConfigurationError: there is no such function.
    """
    from django.conf import settings
    from django.utils.module_loading import import_string

    path = getattr(settings, "RAG_APP_INGEST", None)
    if path is None:
        return None
    try:
        found = import_string(path)
    except (ImportError, AttributeError) as error:  # AttributeError: it is no string
        raise ConfigurationError(f"RAG_APP_INGEST: {path!r} can not be imported: {error}") from error
    if not callable(found):
        raise ConfigurationError(f"RAG_APP_INGEST: {path!r} must be a function that takes a change")
    return found  # type: ignore[no-any-return]


def _doc_id(instance: Model, given: str | None) -> str:
    return given if given is not None else f"{instance._meta.label_lower}:{instance.pk}"


def _on_commit(instance: Model, tenant: object, doc_id: str | None, document: dict[str, Any] | None) -> None:
    # All is read now: once it is deleted, a model has no primary key.
    change = Change(tenant=tenant_of(tenant), doc_id=_doc_id(instance, doc_id), document=document)
    transaction.on_commit(partial(_send, change), using=instance._state.db)


def _send(change: Change) -> None:
    """Give a change to the hook or to the thread; what was saved is committed, and no failure here may hide that."""
    try:
        (hook() or _in_background)(change)
    except Exception as error:  # noqa: BLE001 - the hook is not ours, and its error's words may be the document's
        _log_failure(change, kind_of(error))


# One thread: of two changes of a document, the last one wins.
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_waiting: deque[Change] = deque()


def _in_background(change: Change) -> None:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(1, thread_name_prefix="rag_app-django")
        _waiting.append(change)
        _pool.submit(_apply_waiting)


def _apply_waiting() -> None:
    """Do what waits now, the documents of a tenant together: thousands may come by one commit."""
    last: dict[tuple[str, str], Change] = {}
    while _waiting:
        change = _waiting.popleft()
        last[change["tenant"], change["doc_id"]] = change
    by_tenant: defaultdict[str, list[Change]] = defaultdict(list)
    for change in last.values():
        by_tenant[change["tenant"]].append(change)
    for tenant, changes in by_tenant.items():
        try:
            _apply_all(tenant, changes)
        except Exception as error:  # noqa: BLE001 - nobody waits for it
            for change in changes:
                _log_failure(change, kind_of(error))


def _apply_all(tenant: str, changes: Sequence[Change]) -> None:
    from rag_app.process_app import default_app

    app = default_app()
    for change in changes:
        if change["document"] is None:
            app.delete(change["doc_id"], tenant=tenant)
    documents = [change["document"] for change in changes if change["document"] is not None]
    skipped = app.ingest(documents, tenant=tenant).skipped if documents else ()
    reasons = {entry.origin: entry.reason for entry in skipped}
    for change in changes:
        if change["document"] is not None and change["doc_id"] in reasons:
            _log_failure(change, reasons[change["doc_id"]])


def _log_failure(change: Change, why: str) -> None:
    what = "ingested" if change["document"] is not None else "deleted"
    logger.error("document %s of tenant %s was not %s: %s", change["doc_id"], change["tenant"], what, why)


def _finish() -> None:
    """Do what is left before the process ends, as after `manage.py loaddata`."""
    if not wait_for_ingestion(_AT_EXIT_S) and _pool is not None:
        _pool.shutdown(wait=False, cancel_futures=True)
        logger.error("the process ends with changes that were not ingested in %.0f s", _AT_EXIT_S)


def _renew() -> None:
    """Leave the thread and what waits for it to the parent of a forked process."""
    global _lock, _pool
    _lock, _pool = threading.Lock(), None
    _waiting.clear()


os.register_at_fork(after_in_child=_renew)
# `atexit` comes after executors, of which the application has some, have been closed; these come last in, first out.
threading._register_atexit(_finish)  # type: ignore[attr-defined]
