"""The settings of rag_app in a Django project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rag_app.errors import ConfigurationError

if TYPE_CHECKING:
    from rag_app.config import Settings


def given_settings() -> dict[str, Any]:
    """Return what the project's `RAG_APP` holds: settings by name, and `config` for a file of them.

    Raises:
        ConfigurationError: it is no dict of names.
    """
    from django.conf import settings

    given = getattr(settings, "RAG_APP", {})
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ConfigurationError(f"RAG_APP must be a dict of settings by name, not a {type(given).__name__}")
    return dict(given)


def project_settings() -> Settings:
    """Return the settings: `RAG_APP`, then the environment, the file and the profile, as everywhere.

    The database is the one that they name; else Django's default one if that is PostgreSQL; else the one of
    `DATABASE_URL` if that is; else the embedded one.

    Raises:
        ConfigurationError: a setting is unknown or has no valid value.
    """
    from pydantic import SecretStr

    from rag_app.config import load_settings

    given = given_settings()
    settings = load_settings(**given)
    database = settings.database
    # By custom DATABASE_URL is Django's own database, whichever that is.
    of_environment = os.environ.get("DATABASE_URL")
    named = database.url is not None and database.url.get_secret_value() != of_environment
    if named or (isinstance(given.get("database"), Mapping) and given["database"].get("url")):
        return settings
    url = default_database_url()
    if url is None and of_environment and of_environment.startswith(("postgresql", "postgres:")):
        url = of_environment
    chosen = database.model_copy(update={"url": None if url is None else SecretStr(url)})
    return settings.model_copy(update={"database": chosen})


def default_database_url() -> str | None:
    """Return the URL of Django's default database, or None if that is not PostgreSQL; nothing is connected."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return None
    from psycopg import pq
    from sqlalchemy import URL

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}  # OPTIONS hold what is Django's, too
    given = connection.get_connection_params()
    options = {name: str(value) for name, value in given.items() if name in known and value is not None}
    name, user, password = (options.pop(part, None) for part in ("dbname", "user", "password"))
    return URL.create("postgresql", user, password, database=name, query=options).render_as_string(hide_password=False)
