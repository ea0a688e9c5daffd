"""One pool of connections for threads and one for coroutines, and transactions that see one tenant."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, LiteralString

import psycopg
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool

from rag_app.errors import ConfigurationError, DatabaseUnavailableError
from rag_app.storage.connections import AsyncConnections
from rag_app.storage.connections import Connection as AsyncConnection

SCHEMA = "rag_app"
BUILDING = "building an index"  # takes turns: two concurrent builds on one table would wait for each other
_POLL_S = 0.2

# One round trip; the settings end with the transaction, so nothing leaks over pooled connections.
_ACT_AS: LiteralString = """
    SELECT set_config('role', 'rag_app_tenant', true), set_config('rag_app.tenant', %(tenant)s, true),
        set_config('plan_cache_mode', %(plan)s, true)
"""
# A plan for any tenant would serve the small ones or the large ones badly, and fits no index of one tenant.
_PLAN_EACH, _PLAN_ONCE = "force_custom_plan", "force_generic_plan"
_SET: LiteralString = """
    SELECT set_config(name, value, true) FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value)
"""

Fetch = Callable[..., list[Any]]
"""Returns the rows of a query, called as `Database.fetch` is."""


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
        self._connect_options: dict[str, Any] = {
            "connect_timeout": connect_timeout_s,
            "application_name": "rag_app",
            # A network that was cut in silence is noticed in seconds, not after the quarter of an hour of TCP.
            "tcp_user_timeout": 5000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        }
        self._pool_size = pool_size
        self._wait_s = connect_timeout_s

    @cached_property
    def engine(self) -> Engine:
        """The engine for threads."""
        return create_engine(
            self.url,
            pool_pre_ping=True,
            pool_size=self._pool_size,
            max_overflow=0,
            pool_timeout=self._wait_s,
            connect_args=self._connect_options,
        )

    @cached_property
    def _connections(self) -> AsyncConnections:
        """The connections of coroutines; they are made as SQLAlchemy makes those of threads."""
        _, of_url = self.engine.dialect.create_connect_args(self.url)
        return AsyncConnections(self._pool_size, self._wait_s, {**of_url, **self._connect_options})

    @contextmanager
    def transaction(self, tenant: str | None = None) -> Iterator[Connection]:
        """Open a transaction; with a tenant, row-level security lets it see and write that tenant's rows alone.

        Raises:
            DatabaseUnavailableError: the database can not be reached, or the connection broke.
        """
        with _translated(self.url), self.engine.begin() as connection:
            if tenant is not None:
                connection.exec_driver_sql(_ACT_AS, {"tenant": tenant, "plan": _PLAN_EACH})
            yield connection

    @contextmanager
    def snapshot(self, tenant: str) -> Iterator[Fetch]:
        """Open a transaction whose queries all see what `tenant` has at the first; gives what fetches their rows.

        Raises:
            DatabaseUnavailableError: the database can not be reached, or the connection broke.
        """
        engine = self.engine.execution_options(isolation_level="REPEATABLE READ")
        with _translated(self.url), engine.begin() as connection:
            connection.exec_driver_sql(_ACT_AS, {"tenant": tenant, "plan": _PLAN_EACH})
            yield partial(_rows, connection)

    @contextmanager
    def maintenance(self) -> Iterator[Connection]:
        """Open a connection of its own that commits each statement, for what may not run in a transaction.

        Raises:
            DatabaseUnavailableError: the database can not be reached, or the connection broke.
        """
        engine = create_engine(
            self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=self._connect_options
        )
        with _translated(self.url), engine.connect() as connection:
            yield connection

    @contextmanager
    def turn(self, name: str) -> Iterator[Connection]:
        """Wait until no other thread or process is in the block of this name; gives a connection as `maintenance` does.

        Raises:
            DatabaseUnavailableError: the database can not be reached, or the connection broke.
        """
        lock = int.from_bytes(hashlib.sha256(f"rag_app\0{name}".encode()).digest()[:8], "big", signed=True)
        with self.maintenance() as connection:
            while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock}):
                time.sleep(_POLL_S)  # waiting inside the server would hold a snapshot that building an index waits for
            yield connection

    def fetch(
        self,
        tenant: str,
        query: LiteralString,
        parameters: Mapping[str, Any],
        settings: Mapping[str, str] | None = None,
    ) -> list[Any]:
        """Do what `afetch` does, in a thread."""
        with self.transaction(tenant) as connection:
            return _rows(connection, tenant, query, parameters, settings)

    async def afetch(
        self,
        tenant: str,
        query: LiteralString,
        parameters: Mapping[str, Any],
        settings: Mapping[str, str] | None = None,
        *,
        plan_once: bool = False,
    ) -> list[Any]:
        """Return the rows, as named tuples, of a query that sees `tenant` alone, in one round trip.

        Args:
            tenant: under whose row-level security it runs; also its parameter `tenant`.
            query: SQL with parameters as `%(name)s`.
            parameters: their values.
            settings: PostgreSQL's settings for this query alone.
            plan_once: for a query that is answered in the same way whatever its parameters are: each connection plans
                it once, which else takes longer than finding a few rows.

        Raises:
            DatabaseUnavailableError: the database can not be reached, or the connection broke.
        """
        parameters = {**parameters, "tenant": tenant, "plan": _PLAN_ONCE if plan_once else _PLAN_EACH}
        with _translated(self.url):
            return await self._connections.run(partial(_fetch, query=query, parameters=parameters, settings=settings))

    async def aclose(self) -> None:
        """Close every connection."""
        await self.aclose_of_coroutines()
        self.close_of_threads()

    async def aclose_of_coroutines(self) -> None:
        """Close the connections of coroutines, on their loop."""
        await self._connections.aclose()

    def close_of_threads(self) -> None:
        """Close the connections of threads; one that a thread still uses would stay open."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def _rows(
    connection: Connection,
    tenant: str,
    query: LiteralString,
    parameters: Mapping[str, Any],
    settings: Mapping[str, str] | None = None,
) -> list[Any]:
    driver: Any = connection.connection.driver_connection
    with driver.cursor(row_factory=namedtuple_row) as cursor:
        if settings:
            cursor.execute(_SET, {"names": list(settings), "values": list(settings.values())})
        return list(cursor.execute(query, {**parameters, "tenant": tenant}).fetchall())


async def _fetch(
    connection: AsyncConnection, query: LiteralString, parameters: Mapping[str, Any], settings: Mapping[str, str] | None
) -> list[Any]:
    async with connection.pipeline():  # what is sent before its end is one transaction
        await connection.execute(_ACT_AS, parameters)
        if settings:
            await connection.execute(_SET, {"names": list(settings), "values": list(settings.values())})
        cursor = connection.cursor(row_factory=namedtuple_row)
        await cursor.execute(query, parameters)
    return list(await cursor.fetchall())


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError, psycopg.OperationalError) as error:
        if isinstance(getattr(error, "orig", error), psycopg.errors.ProgramLimitExceeded):
            raise  # the server answers: a value is larger than any it can store
        raise _unavailable(url, error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(url, error) from error
        raise


def _unavailable(url: URL, error: Exception) -> DatabaseUnavailableError:
    place = url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)
    cause = str(error.__cause__ or error).strip().splitlines()[0]
    return DatabaseUnavailableError(f"PostgreSQL at {place} does not answer: {cause}")
