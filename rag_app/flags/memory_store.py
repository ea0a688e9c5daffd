"""Flags of one process, forgotten at its end."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

from rag_app.flags.store import FlagChange, StoredFlag

KEPT_CHANGES = 1000


class MemoryFlagStore:
    """Keeps flags in memory, for tests, notebooks and single processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flags: dict[str, tuple[Any, float | None, str, str]] = {}
        self._changes: deque[FlagChange] = deque(maxlen=KEPT_CHANGES)

    def load(self) -> dict[str, StoredFlag]:
        """Return every flag that was set, by name."""
        now = time.monotonic()
        with self._lock:
            return {
                name: StoredFlag(value, None if until is None else until - now, by, at)
                for name, (value, until, by, at) in self._flags.items()
            }

    def set(self, name: str, value: Any, ttl: float | None, changed_by: str) -> None:
        """Store a flag, for `ttl` seconds or for ever, and note the change."""
        now = datetime.now(UTC)
        expires_at = None if ttl is None else datetime.fromtimestamp(now.timestamp() + ttl, UTC).isoformat()
        with self._lock:
            old = self._flags.get(name, (None,))[0]
            until = None if ttl is None else time.monotonic() + ttl
            self._flags[name] = (value, until, changed_by, now.isoformat())
            self._changes.append(FlagChange(name, "set", old, value, expires_at, changed_by, now.isoformat()))

    def unset(self, name: str, changed_by: str) -> None:
        """Remove a flag, and note the change if there was one."""
        with self._lock:
            if (known := self._flags.pop(name, None)) is not None:
                at = datetime.now(UTC).isoformat()
                self._changes.append(FlagChange(name, "unset", known[0], None, None, changed_by, at))

    def history(self, name: str | None, limit: int) -> list[FlagChange]:
        """Return the last changes, newest first."""
        with self._lock:
            return [change for change in reversed(self._changes) if name in (None, change.name)][:limit]

    def close(self) -> None:
        """Do nothing: there is no connection."""
