"""One thread of the process that does changes, and what is left of them before the process ends."""

from __future__ import annotations

import os
import threading
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor

from rag_app.contrib.django.changes import Change, apply_all, log_failure, logger
from rag_app.errors import kind_of

_AT_EXIT_S = 30.0

# One thread: of two changes of a document, the last one wins.
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_waiting: deque[Change] = deque()


def in_background(change: Change) -> None:
    """Do a change soon, after those given before."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(1, thread_name_prefix="rag_app-django")
        _waiting.append(change)
        _pool.submit(_apply_waiting)


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
            apply_all(tenant, changes)
        except Exception as error:  # noqa: BLE001 - nobody waits for it
            for change in changes:
                log_failure(change, kind_of(error))


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
