"""The application of this process, for calls that name none."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rag_app.errors import StorageError
from rag_app.logs import get_logger

if TYPE_CHECKING:
    from rag_app.app import RagApp
    from rag_app.config import Settings

logger = get_logger(__name__)

# What opens the application loads where it is opened: a framework names where settings are when it starts, and at once.
_lock = threading.Lock()
_settings: Settings | None = None
_source: Callable[[], Settings] | None = None
_app: RagApp | None = None
_process = 0
_of_parents: list[RagApp] = []
_PAUSE_S = 1.0  # after opening failed: who waited for it does not wait for another try


class _Failed(NamedTuple):
    """Why the application could not be opened with these settings, and when to try again, on the monotonic clock."""

    settings: Settings
    error: StorageError
    try_again_at: float


_failed: _Failed | None = None


def _renew() -> None:
    """Have a forked process not wait for a thread that opened the application in its parent."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew)


def configure(config: str | Path | None = None, **settings: Any) -> None:
    """Set what `default_app` opens; an application that it opened before is closed.

    Args:
        config: a YAML file of settings.
        settings: any setting by name, as for `RagApp.from_config`.

    Raises:
        ConfigurationError: a setting is unknown or has no valid value.
    """
    from rag_app.config import load_settings

    global _settings, _failed
    checked = load_settings(config, **settings)
    close_default_app()
    with _lock:
        _settings, _failed = checked, None


def configure_from(source: Callable[[], Settings] | None) -> None:
    """Name what gives the settings when they are needed and `configure` set none; None for the environment alone."""
    global _source
    _source = source


def default_settings() -> Settings:
    """Return what `default_app` opens: as `configure` says, else what `configure_from` names, else the environment.

    Raises:
        ConfigurationError: a setting is unknown or has no valid value.
    """
    from rag_app.config import load_settings

    return _settings or (_source or load_settings)()


def default_app() -> RagApp:
    """Return the application of this process, opened on first use with the `default_settings`.

    The environment is `RAG_APP_PROFILE`, `RAG_APP_CONFIG`, `RAG_APP_DATA_DIR`, `DATABASE_URL` and the other settings.
    A forked process opens its own.

    Raises:
        ConfigurationError: a setting is unknown or has no valid value.
        StorageError: the database does not start, does not answer or has another schema.
    """
    global _app, _process
    with _lock:
        if _app is not None and _process != os.getpid():
            _of_parents.append(_app)  # kept, for its connections are the parent's to close
            _app = None
        if _app is None:
            _app = _opened()
            _process = os.getpid()
        return _app


def _opened() -> RagApp:
    """Open the application, unless with these settings it could not be opened just now."""
    from rag_app.app import RagApp

    global _failed
    settings = default_settings()
    if _failed is not None and _failed.settings == settings and time.monotonic() < _failed.try_again_at:
        raise type(_failed.error)(str(_failed.error))
    try:
        app = RagApp(settings)
    except StorageError as error:
        _failed = _Failed(settings, error, time.monotonic() + _PAUSE_S)
        logger.warning("the application of this process can not be opened: %s", error)
        raise
    _failed = None
    return app


async def adefault_app() -> RagApp:
    """Do what `default_app` does; opening it does not block the loop."""
    if _app is not None and _process == os.getpid():
        return _app
    return await asyncio.to_thread(default_app)


def close_default_app() -> None:
    """Close the application of this process, if one is open; the next use opens another."""
    global _app
    with _lock:
        app, _app = _app, None
    if app is not None and _process == os.getpid():
        app.close()
