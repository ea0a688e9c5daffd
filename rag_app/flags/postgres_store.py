"""Flags in PostgreSQL, beside the documents."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from rag_app.errors import StorageError
from rag_app.flags.store import FlagChange, StoredFlag
from rag_app.storage import Database

_SOON = text("SELECT set_config('statement_timeout', '2000', true)")  # in ms, for this transaction alone
_LOAD = text("""
    SELECT name, value,
           CASE WHEN isfinite(expires_at) THEN CAST(extract(epoch FROM expires_at - now()) AS float8) END,
           changed_by, changed_at
    FROM rag_app.flags
""")
# Readers go on; without it, two that set a flag for the first time would both note that it was not set before.
_ONE_WRITER = text("LOCK TABLE rag_app.flags IN SHARE ROW EXCLUSIVE MODE")
_OLD = text("SELECT CAST(value AS text) FROM rag_app.flags WHERE name = :name")
_SET = text("""
    INSERT INTO rag_app.flags (name, value, expires_at, changed_by)
    VALUES (:name, CAST(:new AS jsonb), now() + make_interval(secs => CAST(:ttl AS float8)), :changed_by)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at,
        changed_by = excluded.changed_by, changed_at = now()
""")
_UNSET = text("DELETE FROM rag_app.flags WHERE name = :name")
_NOTE = text("""
    INSERT INTO rag_app.flag_changes (name, action, old, new, expires_at, changed_by)
    VALUES (:name, :action, CAST(:old AS jsonb), CAST(:new AS jsonb),
            now() + make_interval(secs => CAST(:ttl AS float8)), :changed_by)
""")
_HISTORY = text("""
    SELECT name, action, old, new, expires_at, changed_by, changed_at FROM rag_app.flag_changes
    WHERE CAST(:name AS text) IS NULL OR name = :name ORDER BY id DESC LIMIT :limit
""")


class PostgresFlagStore:
    """Keeps flags and their history in the tables of the schema.

    Args:
        database: where they are; its pool for threads is used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._process = os.getpid()

    def load(self) -> dict[str, StoredFlag]:
        """Return every flag that was set, by name.

        Raises:
            StorageError: the database does not answer within two seconds, or has no such table.
        """
        with self._transaction() as connection:
            rows = connection.execute(_LOAD).all()
        return {name: StoredFlag(value, left, by, at.isoformat()) for name, value, left, by, at in rows}

    def set(self, name: str, value: Any, ttl: float | None, changed_by: str) -> None:
        """Store a flag, for `ttl` seconds or for ever, and note the change; both or neither.

        Raises:
            StorageError: the database does not answer or refuses.
        """
        change = {"name": name, "new": json.dumps(value), "ttl": ttl, "changed_by": changed_by}
        with self._transaction() as connection:
            connection.execute(_ONE_WRITER)
            old = connection.scalar(_OLD, {"name": name})
            connection.execute(_SET, change)
            connection.execute(_NOTE, {**change, "action": "set", "old": old})

    def unset(self, name: str, changed_by: str) -> None:
        """Remove a flag, and note the change if there was one.

        Raises:
            StorageError: the database does not answer or refuses.
        """
        change = {"name": name, "new": None, "ttl": None, "changed_by": changed_by}
        with self._transaction() as connection:
            connection.execute(_ONE_WRITER)
            old = connection.scalar(_OLD, {"name": name})
            if old is not None:
                connection.execute(_UNSET, {"name": name})
                connection.execute(_NOTE, {**change, "action": "unset", "old": old})

    def history(self, name: str | None, limit: int) -> list[FlagChange]:
        """Return the last changes, of one flag or of all, newest first.

        Raises:
            StorageError: the database does not answer.
        """
        with self._transaction() as connection:
            rows = connection.execute(_HISTORY, {"name": name, "limit": limit}).all()
        return [
            FlagChange(flag, action, old, new, None if expires is None else expires.isoformat(), by, at.isoformat())
            for flag, action, old, new, expires, by, at in rows
        ]

    def close(self) -> None:
        """Do nothing: the database belongs to the application."""

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._process != os.getpid():  # the pooled connections are the parent's, who still talks over them
            self._database.engine.dispose(close=False)
            self._process = os.getpid()
        try:
            with self._database.transaction() as connection:
                connection.execute(_SOON)
                yield connection
        except DBAPIError as error:
            cause = str(error.orig).strip().partition("\n")[0]
            raise StorageError(f"the flags can not be read or written: {cause}") from error
