"""The proofs of isolation and of crashes run and hold, and see each filter that is taken away and each row that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from rag_app import RagApp
from rag_app.retrievers import BM25Leg, DenseLeg
from rag_app.retrievers.searching import TenantRetriever
from rag_app.schema import RetrievalQuery
from rag_app.storage import catalog, database
from tests.benchmarks.conftest import Load

FOLDERS = ("tenants",)


@pytest.fixture(scope="module")
def opened(script: Load, new_database: Callable[[], str]) -> Iterator[RagApp]:
    with RagApp.from_config(database={"url": new_database()}, **script("isolation").settings()) as app:
        yield app


@pytest.fixture(scope="module")
def server_database(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture(scope="module")
def isolation(script: Load, opened: RagApp) -> Any:
    return script("isolation").Isolation(opened, large=60, small=8)


def notices(isolation: Any) -> bool:
    """Whether trials find a fault; which they hit on first is left to chance, but not whether they do."""
    return any(isolation.run(60).violations for _ in range(15))


def test_no_hostile_name_key_or_value_finds_anything_foreign_or_loses_anything(isolation: Any) -> None:
    report = isolation.run(300)
    assert report.violations == []
    assert len(report.trials) == 10
    assert sum(report.refused.values()) == report.trials["refused"] > 10
    assert report.searches["not empty"] > 60
    assert report.indexed == 3
    assert report.searches["by index"] > 0


@contextmanager
def changed_queries(monkeypatch: pytest.MonkeyPatch, leg: type[TenantRetriever], **changes: Any) -> Iterator[None]:
    """Have a leg search as if the query had said something else."""
    kept: Any = leg.asearch

    async def search(self: TenantRetriever, query: RetrievalQuery) -> Any:
        return await kept(self, replace(query, **changes))

    with monkeypatch.context() as patch:
        patch.setattr(leg, "asearch", search)
        yield


@pytest.mark.parametrize("leg", [DenseLeg, BM25Leg])
@pytest.mark.parametrize(
    "changes",
    [{"tenant": "acme"}, {"sources": None}, {"filters": (), "doc_ids": None}],
    ids=["tenant", "sources", "metadata"],
)
def test_a_leg_without_a_filter_is_noticed(
    isolation: Any, monkeypatch: pytest.MonkeyPatch, leg: type[TenantRetriever], changes: dict[str, Any]
) -> None:
    with changed_queries(monkeypatch, leg, **changes):
        assert notices(isolation)


def test_without_row_level_security_a_statement_without_a_condition_is_noticed(
    isolation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ACT_AS", "SELECT %(tenant)s")
    assert any(line.startswith(("documents", "chunks", "parents")) for line in isolation.run(100).violations)


def test_values_that_are_compared_as_text_are_noticed(isolation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    condition = "(metadata -> key) @> ANY (ARRAY(SELECT jsonb_array_elements(listed::jsonb)))"
    as_text = "(metadata ->> key) = ANY (ARRAY(SELECT jsonb_array_elements_text(listed::jsonb)))"
    assert condition in catalog._MATCHING
    monkeypatch.setattr(catalog, "_MATCHING", catalog._MATCHING.replace(condition, as_text))
    assert notices(isolation)


def test_a_source_that_is_compared_without_its_case_is_noticed(isolation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = isolation._app.service.simple.retriever._store
    for name in ("_exact", "_indexed"):
        folded = getattr(store, name).replace("source = ANY(%(sources)s)", "lower(source) = ANY(%(sources)s)")
        assert folded != getattr(store, name)
        monkeypatch.setattr(store, name, folded)
    assert notices(isolation)


def test_kills_leave_nothing_half_done(script: Load, tmp_path: Path) -> None:
    crash, documents = script("crash"), 18
    settings = script("ingesting").settings(documents)
    with (
        RagApp.from_config(data_dir=tmp_path, **settings) as app,
        crash.Crashes(app, tmp_path, documents=documents) as crashes,
    ):
        report = crashes.run(2, ("ingestion", "postgres"))
    assert report.violations == []
    assert report.kills == {"ingestion": 1, "postgres": 1}


@pytest.mark.parametrize(
    ("statement", "noticed"),
    [
        ("DELETE FROM rag_app.data_chunks WHERE id = (SELECT max(id) FROM rag_app.data_chunks)", "chunks are counted"),
        ("DELETE FROM rag_app.parents WHERE doc_id = 'd1' AND start_char = 0", "do not belong together"),
        ("UPDATE rag_app.parents SET text = replace(text, 'نسخه 1', 'نسخه 2') WHERE doc_id = 'd1'", "another version"),
        ("UPDATE rag_app.documents SET content_hash = 'x' WHERE doc_id = 'd1'", "content hash"),
        ("UPDATE rag_app.tenants SET generation = 0", "is behind"),
        ("DELETE FROM rag_app.documents WHERE doc_id = 'd1'", "version None, not 1"),
    ],
)
def test_rows_that_a_crash_might_leave_are_noticed(
    script: Load, server_database: str, tenant: str, statement: str, noticed: str
) -> None:
    ingesting = script("ingesting")
    with RagApp.from_config(database={"url": server_database}, **ingesting.settings(2)) as app:
        integrity = script("integrity").Integrity(app)
        app.ingest([ingesting.record(number, 1) for number in (1, 2)], tenant=tenant)
        state = {"d1": 1, "d2": 1}
        assert integrity.rows(tenant, state, state) == []
        with app.database.transaction(tenant) as connection:
            connection.execute(text(statement))
        assert any(noticed in line for line in integrity.rows(tenant, state, state))
