"""The Celery application of processes that have none of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag_app.config import Settings, WorkerSettings
from rag_app.errors import ConfigurationError

if TYPE_CHECKING:
    from celery import Celery

_REDIS = ("redis://", "rediss://", "redis+socket://", "sentinel://")
_RESTORE_S = 10  # how often workers look for tasks of lost ones, at most
_START_S = 120  # a process opens the application before it takes tasks; Celery would kill it after 4 s


def open_queue(settings: Settings) -> Celery:
    """Return a Celery application with the tasks, and make it the current one; this connects to nothing.

    Raises:
        ConfigurationError: `worker.broker_url` or `worker.result_backend` is missing or can not be used, or Celery is
            not installed.
    """
    try:
        from celery import Celery
        from kombu.transport import resolve_transport
    except ImportError as error:
        raise ConfigurationError("tasks need a package: pip install 'rag-app[celery]'") from error
    broker = _broker(settings.worker)
    queue = Celery("rag_app", include=["rag_app.contrib.celery.tasks"])
    queue.conf.update(broker_url=broker)
    try:  # their messages may quote the URL
        resolve_transport(queue.connection_for_write().transport_cls)
    except Exception:  # noqa: BLE001 - whatever kombu makes of a URL
        raise ConfigurationError(
            "worker.broker_url can not be used; write redis://host:6379/0, rediss://host:6379/0, redis+socket:///path "
            "or amqp://user:password@host//, with the password percent-encoded; what it needs must be installed, as by "
            "pip install 'rag-app[celery]'"
        ) from None
    queue.conf.update(queue_settings(settings.worker))
    try:
        _ = queue.backend
    except Exception:  # noqa: BLE001 - likewise
        raise ConfigurationError(
            "worker.result_backend can not be used; write redis://host:6379/1 or another URL that Celery knows, and "
            "install what it needs"
        ) from None
    return queue


def queue_settings(options: WorkerSettings) -> dict[str, Any]:
    """Return Celery's settings for these.

    Raises:
        ConfigurationError: there is no broker, or no place for results.
    """
    broker = _broker(options)
    if options.result_backend is None and not broker.startswith(_REDIS):
        raise ConfigurationError(
            "worker.result_backend is not set: the broker is not Redis, so name where results are kept, such as "
            "RAG_APP_WORKER__RESULT_BACKEND=redis://localhost:6379/1"
        )
    results = broker if options.result_backend is None else options.result_backend.get_secret_value()
    redelivery = {
        "visibility_timeout": options.visibility_timeout_s,
        "unacked_restore_interval": min(_RESTORE_S, options.visibility_timeout_s),
        "unacked_restore_throttle": 1,  # 10 by default: every tenth look is one
    }
    return {
        "broker_url": broker,
        "result_backend": results,
        "result_expires": options.result_expires_s,
        "task_default_queue": options.queue,
        "accept_content": ["json"],
        "task_track_started": True,
        "worker_prefetch_multiplier": 1,  # no task waits behind another while a worker is free
        "worker_proc_alive_timeout": _START_S,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": redelivery if broker.startswith(_REDIS) else {},
    }


def _broker(options: WorkerSettings) -> str:
    if options.broker_url is None:
        raise ConfigurationError(
            "worker.broker_url is not set: name the broker of the tasks, such as "
            "RAG_APP_WORKER__BROKER_URL=redis://localhost:6379/0"
        )
    return options.broker_url.get_secret_value()
