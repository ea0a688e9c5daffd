"""What commands work on, opened by settings for a block: the database, or the flags on it, without the application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag_app.config import Settings
    from rag_app.flags import FlagService
    from rag_app.storage import Database


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """Open the configured database, whatever its schema is."""
    from rag_app.factory import open_database

    database = open_database(settings)
    try:
        yield database
    finally:
        database.engine.dispose()


@contextmanager
def prepared_database(settings: Settings) -> Iterator[Database]:
    """Open the configured database with the schema that the application would find.

    Raises:
        StorageError: it has another schema, and `database.auto_upgrade` is off.
    """
    from rag_app.factory import prepare_schema

    with opened_database(settings) as database:
        prepare_schema(settings, database)
        yield database


@contextmanager
def opened_flags(settings: Settings) -> Iterator[FlagService]:
    """Open the flags and read them.

    Raises:
        ConfigurationError: they are in the memory of each process.
        StorageError: they can not be read.
    """
    from rag_app.errors import ConfigurationError
    from rag_app.factory import open_flags

    if settings.flags.backend == "memory":
        raise ConfigurationError(
            "flags.backend is memory, and each process has flags of its own: set them there by FeatureFlags.set_flag, "
            "or choose postgres or redis"
        )
    with prepared_database(settings) as database:
        service = open_flags(settings, database)
        try:
            service.refresh()  # what was read is told, or that it can not be read
            yield service
        finally:
            service.close()
