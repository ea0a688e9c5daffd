"""What everything stands on: the database, its schema, the runtime flags."""

from __future__ import annotations

from rag_app.config import Settings
from rag_app.errors import ConfigurationError
from rag_app.flags import FlagService, FlagStore, MemoryFlagStore, PostgresFlagStore, RedisFlagStore
from rag_app.flags.definitions import Value
from rag_app.storage import Database, schema_version, start_embedded


def open_database(settings: Settings) -> Database:
    """Return the configured database, starting the embedded one if none is configured.

    Raises:
        ConfigurationError: the URL is no PostgreSQL URL.
        EmbeddedDatabaseError: the embedded server does not start.
    """
    secret = settings.database.url
    url = secret.get_secret_value() if secret is not None else start_embedded(settings.data_dir)
    return Database(url, pool_size=settings.database.pool_size)


def prepare_schema(settings: Settings, database: Database) -> None:
    """Upgrade the schema if the settings say so, else check it.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        ServerVersionError: its PostgreSQL or pgvector is too old, or it has no pgvector.
        SchemaVersionError: its schema is not this package's, and is newer or `database.auto_upgrade` is off.
    """
    if settings.database.auto_upgrade:
        schema_version.upgrade(database)
    else:
        schema_version.require_latest(database)


def open_flags(settings: Settings, database: Database) -> FlagService:
    """Return the runtime flags; one that is not set is as the settings say.

    Raises:
        ConfigurationError: the backend is Redis, and its URL or its package is missing.
    """
    return flags_on(_flag_store(settings, database), settings)


def flags_on(store: FlagStore, settings: Settings) -> FlagService:
    """Return the runtime flags that a store holds; one that is not set is as the settings say."""
    configured: dict[str, Value] = {
        "rerank_model": settings.rerank.model,
        "dense_top_k": settings.retrieval.dense_top_k,
        "sparse_top_k": settings.retrieval.sparse_top_k,
        "fusion_top_k": settings.retrieval.fusion_top_k,
        "rerank_top_k": settings.rerank.top_k,
    }
    return FlagService(store, defaults=configured, refresh_s=settings.flags.refresh_s)


def _flag_store(settings: Settings, database: Database) -> FlagStore:
    if settings.flags.backend == "postgres":
        return PostgresFlagStore(database)
    if settings.flags.backend == "memory":
        return MemoryFlagStore()
    if settings.flags.redis_url is None:
        raise ConfigurationError("flags.backend is redis: set flags.redis_url too, such as redis://localhost:6379/0")
    return RedisFlagStore(settings.flags.redis_url.get_secret_value())
