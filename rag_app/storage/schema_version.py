"""Applying the schema, and telling which version of it a database has."""

from __future__ import annotations

from threading import Lock

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from rag_app.errors import SchemaVersionError, StorageError
from rag_app.storage.database import SCHEMA, Database

LATEST = "0004"
_LOCK = 7_246_001_835_553_201_411  # any constant; two processes that upgrade at once take turns by it
_one_migration = Lock()  # Alembic keeps the migration that runs in globals of its modules


def current(database: Database) -> str | None:
    """Return the schema version of the database, or None before the first `upgrade`."""
    with database.transaction() as connection:
        return _current(connection)


def upgrade(database: Database) -> str:
    """Bring the schema to the latest version, safely beside other processes, and return that version.

    Raises:
        SchemaVersionError: the schema is newer.
        StorageError: the user may not create what the schema needs, such as the extension `vector`.
    """
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _current(connection)
        if found is not None and found > LATEST:
            raise _mismatch(found)
        if found != LATEST:
            _migrate(connection)
    return LATEST


def require_latest(database: Database) -> None:
    """Check that the schema fits this package.

    Raises:
        SchemaVersionError: the schema is missing, older or newer.
    """
    found = current(database)
    if found != LATEST:
        raise _mismatch(found)


def _mismatch(found: str | None) -> SchemaVersionError:
    advice = "run: rag-app db upgrade" if found is None or found < LATEST else "install a newer rag-app"
    return SchemaVersionError(f"the database schema is at {found or 'none'}, this package needs {LATEST}: {advice}")


def _current(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass(:table)"), {"table": "rag_app.alembic_version"}) is None:
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM rag_app.alembic_version"))
    return version


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    config = Config()
    config.set_main_option("script_location", "rag_app.storage:migrations")
    config.attributes["connection"] = connection
    try:
        with _one_migration:
            command.upgrade(config, "head")
    except ProgrammingError as error:
        raise StorageError(f"the schema can not be upgraded: {str(error.orig).strip()}") from error
