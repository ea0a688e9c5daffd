"""Applying the schema, forwards and back, and telling which version of it a database has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import InternalError, ProgrammingError

from rag_app.errors import InvalidInputError, SchemaVersionError, StorageError, unknown_name
from rag_app.storage.database import SCHEMA, Database
from rag_app.storage.server_version import require_versions

if TYPE_CHECKING:
    from alembic.config import Config

LATEST = "0005"
NONE = "none"  # names the version of a database without a schema
_LOCK = 7_246_001_835_553_201_411  # any constant; two processes that migrate at once take turns by it
_one_migration = Lock()  # Alembic keeps the migration that runs in globals of its modules


def current(database: Database) -> str | None:
    """Return the schema version of the database, or None before the first `upgrade`."""
    with database.transaction() as connection:
        return _current(connection)


def upgrade(database: Database) -> str:
    """Bring the schema to the latest version, safely beside other processes, and return that version.

    A pgvector in the database that is too old is updated, where the server has a newer one.

    Raises:
        ServerVersionError: PostgreSQL or pgvector is too old, or the server has no pgvector.
        SchemaVersionError: the schema is newer.
        StorageError: the user may not create what the schema needs, such as the extension `vector`.
    """
    with _migrating(database) as (connection, found):
        require_versions(connection, update=True)
        if found != LATEST:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            _migrate(connection, "upgrade", LATEST)
    return LATEST


def downgrade(database: Database, version: str) -> str:
    """Take the schema back to an earlier version, safely beside other processes, and return that version.

    What later versions added is dropped with the data in it; `NONE` drops every document. The role and the extension
    stay, because others may use them.

    Raises:
        InvalidInputError: there is no such version.
        SchemaVersionError: the schema is older than that, or newer than this package.
        StorageError: the user may not drop what is to go, or something else in the database depends on it.
    """
    known = {NONE: "base"} | {each: each for each in _versions()}  # as Alembic names them
    if version not in known:
        raise InvalidInputError(unknown_name("schema version", version, known))
    with _migrating(database) as (connection, found):
        if version != NONE and version > (found or ""):
            raise SchemaVersionError(
                f"the database schema is at {found or NONE}, below {version}; rag-app db upgrade leads to {LATEST}"
            )
        if found is not None and found != version:
            _migrate(connection, "downgrade", known[version])
    return version


def require_latest(database: Database) -> None:
    """Check that the server and the schema fit this package.

    Raises:
        ServerVersionError: PostgreSQL or pgvector is too old, or the server has no pgvector.
        SchemaVersionError: the schema is missing, older or newer.
    """
    with database.transaction() as connection:
        require_versions(connection)
        found = _current(connection)
    if found != LATEST:
        raise _mismatch(found)


def _mismatch(found: str | None) -> SchemaVersionError:
    advice = "run: rag-app db upgrade" if found is None or found < LATEST else "install a newer rag-app"
    return SchemaVersionError(f"the database schema is at {found or NONE}, this package needs {LATEST}: {advice}")


def _current(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass(:table)"), {"table": "rag_app.alembic_version"}) is None:
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM rag_app.alembic_version"))
    return version


@contextmanager
def _migrating(database: Database) -> Iterator[tuple[Connection, str | None]]:
    """Open a transaction that no other migration runs beside, with the version found; a newer one is refused."""
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _current(connection)
        if found is not None and found > LATEST:
            raise _mismatch(found)
        yield connection, found


def _scripts() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "rag_app.storage:migrations")
    return config


def _versions() -> list[str]:
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(_scripts()).walk_revisions()]


def _migrate(connection: Connection, action: str, version: str) -> None:
    from alembic import command

    config = _scripts()
    config.attributes["connection"] = connection
    try:
        with _one_migration:
            (command.upgrade if action == "upgrade" else command.downgrade)(config, version)
    except (ProgrammingError, InternalError) as error:  # InternalError: another object depends on what is to go
        raise StorageError(f"the schema can not be {action}d: {str(error.orig).strip()}") from error
