"""One pool of connections for threads and one for coroutines, and transactions that see one tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from rag_app.errors import ConfigurationError, DatabaseUnavailableError

SCHEMA = "rag_app"
TENANT_ROLE = "rag_app_tenant"

# One round trip; both settings end with the transaction, so nothing leaks over pooled connections.
_ACT_AS = text(f"SELECT set_config('role', '{TENANT_ROLE}', true), set_config('rag_app.tenant', :tenant, true)")


class Database:
    """A PostgreSQL database with pgvector.

    Args:
        url: a PostgreSQL URL, as in `DATABASE_URL`; the driver is always psycopg 3.
        pool_size: the most connections of each of the two pools.
        connect_timeout_s: how long a connection may take, in whole seconds.

    Raises:
        ConfigurationError: the URL is no PostgreSQL URL, or has an option that PostgreSQL does not know.
    """

    def __init__(self, url: str, *, pool_size: int = 5, connect_timeout_s: int = 5) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError) as error:  # ValueError: the port is no number
            raise ConfigurationError("the database URL can not be read; write postgresql://user@host/name") from error
        if parsed.drivername.partition("+")[0] not in ("postgresql", "postgres"):
            raise ConfigurationError(f"the database must be PostgreSQL, not {parsed.drivername!r}")
        try:
            make_conninfo(**dict.fromkeys(parsed.query, ""))
        except ProgrammingError as error:
            raise ConfigurationError(f"the database URL can not be used: {str(error).strip()}") from error
        self.url: URL = parsed.set(drivername="postgresql+psycopg")
        self._options = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": connect_timeout_s,
            "pool_pre_ping": True,
            "connect_args": {
                "connect_timeout": connect_timeout_s,
                "application_name": "rag_app",
                # A network that was cut in silence is noticed in seconds, not after the quarter of an hour of TCP.
                "tcp_user_timeout": 5000,
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
            },
        }

    @cached_property
    def engine(self) -> Engine:
        """The engine for threads."""
        return create_engine(self.url, **self._options)

    @cached_property
    def async_engine(self) -> AsyncEngine:
        """The engine for coroutines; its connections belong to the loop that first uses them."""
        return create_async_engine(self.url, **self._options)

    @contextmanager
    def transaction(self, tenant: str | None = None) -> Iterator[Connection]:
        """Open a transaction; with a tenant, row-level security lets it see and write that tenant's rows alone.

        Raises:
            DatabaseUnavailableError: the database can not be reached, or the connection broke.
        """
        with _translated(self.url), self.engine.begin() as connection:
            if tenant is not None:
                connection.execute(_ACT_AS, {"tenant": tenant})
            yield connection

    @asynccontextmanager
    async def atransaction(self, tenant: str) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees `tenant` alone, as `transaction` does, without blocking the loop."""
        with _translated(self.url):
            async with self.async_engine.begin() as connection:
                await connection.execute(_ACT_AS, {"tenant": tenant})
                yield connection

    async def aclose(self) -> None:
        """Close every connection."""
        if "async_engine" in self.__dict__:
            await self.async_engine.dispose()
        if "engine" in self.__dict__:
            self.engine.dispose()


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise _unavailable(url, error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(url, error) from error
        raise


def _unavailable(url: URL, error: Exception) -> DatabaseUnavailableError:
    place = url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)
    cause = str(error.__cause__ or error).strip().splitlines()[0]
    return DatabaseUnavailableError(f"PostgreSQL at {place} does not answer: {cause}")
