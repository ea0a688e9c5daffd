from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from rag_app import RagApp
from rag_app.storage import Database

TABLES = ("tenants", "documents", "parents", "data_chunks", "deletions", "dense_indexes")
RECORDS = [
    {"id": "m1", "title": "ارسال", "text": "ارسال سفارش تا سه روز کاری طول می‌کشد.", "source": "manual"},
    {"id": "m2", "title": "مرجوعی", "text": "کالا تا هفت روز پس از تحویل مرجوع می‌شود.", "source": "faq"},
]
WHO = text("SELECT current_user, coalesce(current_setting('rag_app.tenant', true), '')")
HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE rag_app.documents; --",
    '"',
    "\\",
    "$$",
    ":tenant",
    ":x",
    "%s",
    "%(tenant)s",
    "{tenant}",
    "%",
    "_",
    "*",
    "null",
    "rag_app_tenant",
    "postgres",
    "123",
    "۱۲۳",  # Persian digits
    "١٢٣",  # Arabic digits
    "123.0",
    "1e3",
    "1000",
    "acme",
    "Acme",
    "аcme",  # a Cyrillic а
    "acme ",
    " acme",
    "acme\u200c",
    "علی",
    "علي",  # an Arabic yeh
    "é",
    "e\u0301",
    "x" * 200,
    "x" * 199,
    "🙂" * 200,
]


@pytest.fixture(scope="module")
def filled(url: str) -> Iterator[RagApp]:
    """An application whose tenants `a` and `b` have the same texts."""
    with RagApp.from_config(database={"url": url}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
        for tenant in ("a", "b"):
            gone = {"id": "gone", "text": "این سند پاک می‌شود."}
            assert app.ingest([*RECORDS, gone], tenant=tenant).added == len(RECORDS) + 1
            assert app.delete("gone", tenant=tenant)
            with app.database.transaction(tenant) as connection:
                connection.execute(text("INSERT INTO rag_app.dense_indexes VALUES (:t, 1, NULL, 0)"), {"t": tenant})
        yield app


@pytest.fixture
async def database(filled: RagApp, url: str) -> AsyncIterator[Database]:
    """A database of which every transaction gets the same connection."""
    opened = Database(url, pool_size=1)
    yield opened
    await opened.aclose()


def rows(database: Database, table: str) -> list[tuple[object, ...]]:
    """Return all rows of a table as its owner, whom row-level security does not bind, sees them."""
    with database.transaction() as connection:
        return sorted(tuple(map(str, row)) for row in connection.execute(text(f"SELECT * FROM rag_app.{table}")))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("tenant", ["a", "b"])
async def test_a_query_without_any_condition_returns_the_tenants_own_rows_alone(
    database: Database, table: str, tenant: str
) -> None:
    statement = text(f"SELECT tenant FROM rag_app.{table}")
    with database.transaction() as connection:
        assert set(connection.scalars(statement)) == {"a", "b"}
    expected = {tenant}
    with database.transaction(tenant) as connection:
        assert set(connection.scalars(statement)) == expected
    assert {row.tenant for row in await database.afetch(tenant, str(statement), {})} == expected


@pytest.mark.parametrize("table", TABLES)
def test_an_unknown_tenant_sees_nothing(database: Database, table: str) -> None:
    with database.transaction("c") as connection:
        assert connection.execute(text(f"SELECT * FROM rag_app.{table}")).all() == []


@pytest.mark.parametrize("table", TABLES)
def test_the_role_without_a_tenant_sees_nothing(database: Database, table: str) -> None:
    statement = text(f"SELECT * FROM rag_app.{table}")
    for _ in range(2):  # on a fresh connection the setting is missing, later it is empty
        with database.transaction() as connection:
            connection.execute(text("SET LOCAL ROLE rag_app_tenant"))
            assert connection.execute(statement).all() == []
        with database.transaction("a") as connection:
            assert connection.execute(statement).all() != []


@pytest.mark.parametrize("table", TABLES)
def test_update_and_delete_do_not_reach_the_rows_of_another_tenant(database: Database, table: str) -> None:
    before = rows(database, table)
    with database.transaction("a") as connection:
        where = "WHERE tenant = 'b'"
        assert connection.execute(text(f"UPDATE rag_app.{table} SET tenant = tenant {where}")).rowcount == 0
        assert connection.execute(text(f"DELETE FROM rag_app.{table} {where}")).rowcount == 0
    assert rows(database, table) == before


@pytest.mark.parametrize("table", TABLES)
def test_deleting_without_a_condition_leaves_another_tenants_rows(database: Database, table: str) -> None:
    others = text(f"SELECT count(*) FROM rag_app.{table} WHERE tenant = 'b'")
    with database.transaction() as connection:
        expected = connection.scalar(others)
    with database.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("SELECT set_config('role', 'rag_app_tenant', true)"))
        connection.execute(text("SELECT set_config('rag_app.tenant', 'a', true)"))
        connection.execute(text(f"DELETE FROM rag_app.{table}"))
        connection.execute(text("RESET ROLE"))
        assert connection.scalar(others) == expected
        assert connection.scalar(text(f"SELECT count(*) FROM rag_app.{table}")) == expected
        transaction.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO rag_app.tenants VALUES ('b2', 7)",
        "INSERT INTO rag_app.documents VALUES ('b', 'new', 's', 't', 'h', '{}')",
        "INSERT INTO rag_app.parents VALUES ('b', 'new', 'm1', 'text', 0)",
        "INSERT INTO rag_app.data_chunks (tenant, doc_id, source, node_id, text, metadata_, tokens, embedding)"
        " VALUES ('b', 'm1', 's', 'new', 't', '{}', '', '[1]')",
        "UPDATE rag_app.documents SET tenant = 'b'",
        "UPDATE rag_app.data_chunks SET tenant = 'b'",
        "UPDATE rag_app.tenants SET tenant = 'c'",
        "DELETE FROM rag_app.index_settings",
        "UPDATE rag_app.index_settings SET value = ''",
        "SELECT * FROM rag_app.api_keys",
        "INSERT INTO rag_app.api_keys (tenant, name, sha256) VALUES ('b', 'mine', '')",
        "UPDATE rag_app.api_keys SET tenant = 'b'",
        "UPDATE rag_app.alembic_version SET version_num = '0'",
        "TRUNCATE rag_app.data_chunks",
        "DROP TABLE rag_app.data_chunks",
        "ALTER TABLE rag_app.data_chunks DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE rag_app.mine (x text)",
    ],
)
async def test_a_tenant_can_neither_write_for_another_nor_touch_what_belongs_to_all(
    database: Database, statement: str
) -> None:
    before = {table: rows(database, table) for table in TABLES}
    refusal = "row-level security|permission denied|must be owner"
    with pytest.raises(ProgrammingError, match=refusal), database.transaction("a") as connection:
        connection.execute(text(statement))
    with pytest.raises((psycopg.ProgrammingError, psycopg.DatabaseError), match=refusal):
        await database.afetch("a", statement, {})
    assert {table: rows(database, table) for table in TABLES} == before


def test_a_chunk_can_not_be_hung_on_another_tenants_document(filled: RagApp, database: Database) -> None:
    filled.ingest([{"id": "only-b", "text": "فقط ب"}], tenant="b")
    with pytest.raises(Exception, match="violates foreign key"), database.transaction("a") as connection:
        connection.execute(text("INSERT INTO rag_app.parents VALUES ('a', 'new', 'only-b', 'text', 0)"))
    filled.delete("only-b", tenant="b")


def test_role_and_tenant_end_with_the_transaction(database: Database) -> None:
    with database.transaction() as connection:
        owner, nobody = connection.execute(WHO).one()
        backend = connection.scalar(text("SELECT pg_backend_pid()"))
    assert nobody == ""
    for tenant in ("a", "b"):
        with database.transaction(tenant) as connection:
            assert tuple(connection.execute(WHO).one()) == ("rag_app_tenant", tenant)
        with database.transaction() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) == backend
            assert tuple(connection.execute(WHO).one()) == (owner, "")


def test_role_and_tenant_end_with_a_transaction_that_fails(database: Database) -> None:
    with database.transaction() as connection:
        owner, backend = connection.execute(text("SELECT current_user, pg_backend_pid()")).one()
    with pytest.raises(ProgrammingError), database.transaction("a") as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    with pytest.raises(KeyError), database.transaction("a"):
        raise KeyError
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == backend
        assert tuple(connection.execute(WHO).one()) == (owner, "")


async def test_role_tenant_and_settings_end_with_an_asynchronous_query(database: Database) -> None:
    with database.transaction() as connection:
        owner = connection.scalar(text("SELECT current_user"))
    seconds = "SELECT current_setting('lock_timeout') AS lock_timeout"
    assert (await database.afetch("a", seconds, {}, {"lock_timeout": "7s"}))[0].lock_timeout == "7s"
    assert (await database.afetch("a", seconds, {}))[0].lock_timeout == "0"
    assert await database.afetch("a", str(WHO), {}) == [("rag_app_tenant", "a")]
    with pytest.raises(psycopg.ProgrammingError):
        await database.afetch("a", "SELECT * FROM nowhere", {})
    (connection,) = database._connections._idle
    assert await (await connection.execute(str(WHO))).fetchone() == (owner, "")


def test_tenants_with_hostile_or_look_alike_names_stay_apart(filled: RagApp) -> None:
    assert len(set(HOSTILE)) == len(HOSTILE)
    for number, tenant in enumerate(HOSTILE):
        record = {"id": "same", "title": f"گزارش {number}", "text": f"گزارش محرمانه شماره {number}"}
        assert filled.ingest([record], tenant=tenant).added == 1, tenant
    for number, tenant in enumerate(HOSTILE):
        result = filled.retrieve("گزارش محرمانه", tenant=tenant)
        found = [(node.node.metadata["tenant"], node.node.metadata["title"]) for node in result.nodes]
        assert (found, result.degraded) == ([(tenant, f"گزارش {number}")], False)
    for tenant in HOSTILE:
        assert filled.delete("same", tenant=tenant)
        assert not filled.delete("same", tenant=tenant)


async def test_hostile_names_are_bound_not_interpolated(database: Database) -> None:
    for tenant in HOSTILE:
        with database.transaction(tenant) as connection:
            assert connection.execute(WHO).one()[1] == tenant
        assert (await database.afetch(tenant, str(WHO), {}))[0][1] == tenant
