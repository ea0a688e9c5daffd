from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, make_url, text

from rag_app import RagApp
from rag_app.errors import SchemaVersionError, ServerVersionError
from rag_app.storage import Database, schema_version
from rag_app.storage.server_version import Lack, ServerVersions, read_versions
from tests.servers import postgres_15
from tests.storage.test_schema_version import execute, named

NEEDED = "rag_app needs PostgreSQL 15 or newer with pgvector 0.8 or newer"
SERVERS = {90624: "9.6.24", 100023: "10.23", 140022: "14.22", 150000: "15.0", 150018: "15.18", 180004: "18.4"}
OLD = ["0.1.0", "0.5.1", "0.7.4", "0.7", "0.7.10", "0.7.4.managed-9"]
NEW = ["0.8.0", "0.8", "0.8.0.managed-3", "0.8.10", "0.10.0", "0.100.1", "1.0.0", "1.0"]


@pytest.mark.parametrize(("number", "written"), SERVERS.items())
def test_a_servers_version_is_written_as_postgresql_writes_it(number: int, written: str) -> None:
    assert ServerVersions(number, None, None).postgres == written


@pytest.mark.parametrize("number", SERVERS)
def test_every_combination_is_served_updated_or_refused(number: int) -> None:
    for installed, available in itertools.product([None, *OLD, *NEW], repeat=2):
        lack = ServerVersions(number, installed, available).lack
        if number < 150000:
            assert lack is not None
            assert lack.finding == f"the server is PostgreSQL {SERVERS[number]}"
        elif installed in NEW or (installed is None and available in NEW):
            assert lack is None
        elif installed is not None and available in NEW:
            answer = f"run: ALTER EXTENSION vector UPDATE, as its owner; the server has {available}"
            assert lack == Lack(f"the database has pgvector {installed}", answer, updatable=True)
        else:
            assert lack is not None
            assert not lack.updatable
            assert f"postgresql-{number // 10000}-pgvector" in lack.answer
            assert (installed or available or "no pgvector") in lack.finding


def test_the_message_says_what_was_found_what_is_needed_and_what_to_do() -> None:
    messages = [str(ServerVersions(*found).lack) for found in ((140022, "0.8.0", "0.8.0"), (170002, "0.7.4", "0.7.4"))]
    assert messages == [
        f"the server is PostgreSQL 14.22; {NEEDED}: upgrade the server, or name another one in DATABASE_URL",
        f"the database has pgvector 0.7.4; {NEEDED}: install a newer package on the server (postgresql-17-pgvector on "
        "Debian and Ubuntu, pgvector_17 on Red Hat), then run: ALTER EXTENSION vector UPDATE",
    ]


def test_a_server_without_pgvector_is_refused_and_left_as_it_was() -> None:
    message = re.escape(f"the server has no pgvector; {NEEDED}: install its package on the server (postgresql-15-")
    with postgres_15() as url:
        database = Database(url)
        for check in (schema_version.upgrade, schema_version.require_latest):
            with pytest.raises(ServerVersionError, match=message):
                check(database)
        for auto_upgrade in (True, False):
            with pytest.raises(ServerVersionError, match=message):
                RagApp.from_config(database={"url": url, "auto_upgrade": auto_upgrade})
        with database.transaction() as connection:
            found = read_versions(connection)
            assert connection.scalar(text("SELECT to_regnamespace('rag_app')")) is None
        assert (found.server // 10_000, found.installed, found.available) == (15, None, None)
        assert schema_version.current(database) is None
        database.engine.dispose()


def test_the_schema_and_what_is_stored_in_it_need_nothing_newer_than_postgresql_15() -> None:
    """All but the distance of vectors runs there on a type of the name of pgvector's, which Debian's 15 lacks."""
    with postgres_15() as url:
        execute(
            url,
            "CREATE DOMAIN halfvec AS bytea",
            "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
            " VALUES (16000, 'vector', 10, 'public'::regnamespace, true, '0.8.0')",
        )
        with RagApp.from_config(database={"url": url}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
            app.ingest([{"id": name, "text": f"ارسال {name} رایگان است."} for name in ("m1", "m2")], tenant="t1")
            app.delete("m2", tenant="t1")
            found = app.retrieve("ارسال", tenant="t1")
        assert [node.node.metadata["doc_id"] for node in found.nodes] == ["m1"]
        database = Database(url)
        for version in ("0001", schema_version.NONE):
            assert schema_version.downgrade(database, version) == version
            assert schema_version.upgrade(database) == schema_version.LATEST
        database.engine.dispose()


@pytest.fixture
def offering(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Makes a database with an empty pgvector 0.7.0 in it, on a server that offers the given version of the real one.

    PostgreSQL itself reads, creates and updates the extension, whose update from 0.7.0 is all that the real one holds.
    """
    opened: list[Database] = []

    def make(version: str) -> Database:
        url = new_database()
        database = Database(url)
        opened.append(database)
        with database.transaction() as connection:
            found = read_versions(connection)
            if found.server < 180000:
                pytest.skip("the embedded server knows no extension_control_path")
            share = Path(connection.scalar(text("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")) or "")
        folder = tmp_path / "extension"
        folder.mkdir()
        control = f"default_version = '{version}'\nmodule_pathname = '$libdir/vector'\nrelocatable = true\n"
        (folder / "vector.control").write_text(control)
        (folder / "vector--0.7.0.sql").write_text("")
        (folder / "vector--0.7.0--0.7.1.sql").write_text("")
        real = (share / "extension" / f"vector--{found.available}.sql").read_text()
        (folder / "vector--0.7.0--0.10.0.sql").write_text(real)
        tmp_path.chmod(0o755)  # the server may be another user
        execute(url, f"ALTER DATABASE {make_url(url).database} SET extension_control_path = '{tmp_path}'")
        execute(url, "CREATE EXTENSION vector VERSION '0.7.0'")
        database.engine.dispose()  # what is asked next is asked by connections that see this
        return database

    yield make
    for database in opened:
        database.engine.dispose()


def installed(database: Database) -> str | None:
    with database.transaction() as connection:
        return read_versions(connection).installed


def test_an_old_pgvector_is_updated_where_the_server_has_a_newer_one(offering: Callable[[str], Database]) -> None:
    database = offering("0.10.0")
    message = rf"has pgvector 0\.7\.0; {NEEDED}: run: ALTER EXTENSION vector UPDATE, .*; the server has 0\.10\.0"
    with pytest.raises(ServerVersionError, match=message):
        schema_version.require_latest(database)
    assert installed(database) == "0.7.0"
    assert schema_version.upgrade(database) == schema_version.LATEST
    assert installed(database) == "0.10.0"
    schema_version.require_latest(database)


def test_an_old_pgvector_that_is_the_servers_newest_is_refused(offering: Callable[[str], Database]) -> None:
    database = offering("0.7.1")
    for check in (schema_version.upgrade, schema_version.require_latest):
        with pytest.raises(
            ServerVersionError, match=r"has pgvector 0\.7\.0; .*: install a newer package on the server"
        ):
            check(database)
    assert installed(database) == "0.7.0"


def test_a_user_who_may_not_update_pgvector_is_told_so(offering: Callable[[str], Database]) -> None:
    owner = offering("0.10.0")
    url = owner.url.render_as_string(hide_password=False)
    execute(url, "CREATE ROLE may_not_update LOGIN", f"GRANT CREATE ON DATABASE {owner.url.database} TO may_not_update")
    database = Database(named(url, database=owner.url.database or "", user="may_not_update"))
    with pytest.raises(ServerVersionError, match=r"run: ALTER EXTENSION .* \(must be owner of extension vector\)"):
        schema_version.upgrade(database)
    database.engine.dispose()
    assert installed(owner) == "0.7.0"
    assert schema_version.current(owner) is None


def test_a_pgvector_that_no_update_leads_from_is_told(offering: Callable[[str], Database]) -> None:
    database = offering("0.9.0")
    with pytest.raises(ServerVersionError, match=r"the server has 0\.9\.0 \(extension \"vector\" has no update path"):
        schema_version.upgrade(database)


def test_a_missing_schema_on_a_server_that_fits_is_a_matter_of_the_schema(new_database: Callable[[], str]) -> None:
    database = Database(new_database())
    with pytest.raises(SchemaVersionError, match="run: rag-app db upgrade"):
        schema_version.require_latest(database)
    database.engine.dispose()


def test_versions_are_asked_for_on_opening_alone(new_database: Callable[[], str]) -> None:
    statements: list[str] = []

    def note(*given: object) -> None:
        statements.append(str(given[2]))

    def checks() -> int:
        return sum("server_version_num" in each and "extversion" in each for each in statements)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with RagApp.from_config(
            database={"url": new_database()}, deadline_s=30, retrieval={"leg_timeout_s": 20}
        ) as app:
            assert checks() == 1
            app.ingest([{"id": "m1", "text": "ارسال رایگان است."}], tenant="t1")
            assert app.retrieve("ارسال", tenant="t1").nodes
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert any("rag_app.tenants" in each for each in statements)
    assert checks() == 1
