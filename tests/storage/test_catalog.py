from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from rag_app import RagApp
from rag_app.errors import DatabaseUnavailableError, IndexMismatchError
from rag_app.storage import ChunkReader, Database, TenantCatalog, schema_version

SETTINGS = {"analyzer": "persian-1", "embedding": "hashing-1024"}
RECORDS = [
    {"id": "m1", "text": "یک", "source": "manual"},
    {"id": "m2", "text": "دو", "source": "manual"},
    {"id": "f1", "text": "سه", "source": "faq"},
]


@pytest.fixture
def empty(bare: Database) -> Database:
    schema_version.upgrade(bare)
    return bare


async def test_a_tenant_that_never_stored_anything_is_at_generation_0(own_pool: Database, tenant: str) -> None:
    snapshot = await TenantCatalog(own_pool).asnapshot(tenant)
    assert (snapshot.tenant, snapshot.generation, snapshot.documents) == (tenant, 0, {})


async def test_a_snapshot_counts_the_tenants_own_documents_by_source(
    app: RagApp, own_pool: Database, tenant: str
) -> None:
    app.ingest(RECORDS, tenant=tenant)
    app.ingest([{"id": "x", "text": "چهار", "source": "other"}], tenant=f"{tenant[:-1]}~")
    snapshot = await TenantCatalog(own_pool).asnapshot(tenant)
    assert (snapshot.generation, snapshot.documents) == (1, {"faq": 1, "manual": 2})


async def test_a_write_of_another_process_is_in_the_next_snapshot(app: RagApp, own_pool: Database, tenant: str) -> None:
    catalog = TenantCatalog(own_pool)
    assert (await catalog.asnapshot(tenant)).documents == {}
    app.ingest(RECORDS, tenant=tenant)
    assert (await catalog.asnapshot(tenant)).documents == {"faq": 1, "manual": 2}
    app.ingest([{**RECORDS[2], "source": "manual"}], tenant=tenant)
    assert (await catalog.asnapshot(tenant)).documents == {"manual": 3}
    for record in RECORDS:
        app.delete(record["id"], tenant=tenant)
    snapshot = await catalog.asnapshot(tenant)
    assert (snapshot.generation, snapshot.documents) == (5, {})


async def test_documents_are_counted_again_only_after_a_write(
    app: RagApp, own_pool: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    fetch = own_pool.afetch

    async def noted(tenant: str, query: str, *arguments: Any, **options: Any) -> list[Any]:
        counted.extend([query] if "count(*)" in query else [])
        return await fetch(tenant, query, *arguments, **options)

    monkeypatch.setattr(own_pool, "afetch", noted)
    catalog = TenantCatalog(own_pool)
    app.ingest(RECORDS, tenant=tenant)
    first = await catalog.asnapshot(tenant)
    assert await catalog.asnapshot(tenant) is first
    assert len(counted) == 1
    app.ingest([{"id": "m3", "text": "پنج", "source": "manual"}], tenant=tenant)
    await catalog.asnapshot(tenant)
    assert len(counted) == 2


async def test_the_question_for_news_is_planned_once_and_a_search_for_each_tenant(
    app: RagApp, own_pool: Database, tenant: str
) -> None:
    app.ingest(RECORDS, tenant=tenant)
    catalog, reader = TenantCatalog(own_pool), ChunkReader(own_pool)
    for _ in range(8):  # psycopg prepares a statement when it comes for the sixth time
        await catalog.asnapshot(tenant)
        await reader.atokens(tenant)
    plans = await own_pool.afetch(
        tenant, "SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements", {}
    )
    (news,) = [plan for plan in plans if "ef_search" in plan.statement]
    (tokens,) = [plan for plan in plans if "data_chunks" in plan.statement]
    assert (news.generic_plans, news.custom_plans) == (3, 0)
    assert (tokens.generic_plans, tokens.custom_plans) == (0, 3)


async def test_only_so_many_tenants_are_remembered(app: RagApp, own_pool: Database, tenant: str) -> None:
    app.ingest(RECORDS, tenant=tenant)
    catalog = TenantCatalog(own_pool, max_tenants=2)
    first = await catalog.asnapshot(tenant)
    for other in ("x", "y"):
        await catalog.asnapshot(f"{tenant[:-1]}{other}")
    again = await catalog.asnapshot(tenant)
    assert again == first
    assert again is not first


async def test_a_snapshot_of_a_database_that_is_gone_is_an_error() -> None:
    gone = Database("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailableError):
        await TenantCatalog(gone).asnapshot("t1")
    await gone.aclose()


def test_an_index_that_nobody_built_fits_any_settings_and_stays_unclaimed(empty: Database) -> None:
    catalog = TenantCatalog(empty)
    catalog.verify_index(SETTINGS)
    catalog.verify_index({"analyzer": "persian-2", "embedding": "hashing-64"})
    with empty.transaction() as connection:
        assert connection.scalar(text("SELECT count(*) FROM rag_app.index_settings")) == 0


def test_a_claim_records_the_settings_and_may_be_repeated(empty: Database) -> None:
    catalog = TenantCatalog(empty)
    for _ in range(2):
        catalog.verify_index(SETTINGS, claim=True)
        catalog.verify_index(SETTINGS)
    with empty.transaction() as connection:
        rows = connection.execute(text("SELECT name, value FROM rag_app.index_settings")).all()
    assert {name: value for name, value in rows} == SETTINGS


@pytest.mark.parametrize("claim", [False, True])
@pytest.mark.parametrize("name", ["analyzer", "embedding"])
def test_other_settings_than_the_claimed_are_refused_with_both_values_and_advice(
    empty: Database, name: str, claim: bool
) -> None:
    catalog = TenantCatalog(empty)
    catalog.verify_index(SETTINGS, claim=True)
    with pytest.raises(IndexMismatchError) as caught:
        catalog.verify_index({**SETTINGS, name: "other-2"}, claim=claim)
    assert str(caught.value) == (
        f"the stored index was built with {name} {SETTINGS[name]!r}, the configuration now asks for 'other-2': "
        "set it back, or run rag-app reindex, which makes the index anew while the application goes on serving"
    )
    catalog.verify_index(SETTINGS)


def test_a_refused_claim_records_nothing(empty: Database) -> None:
    catalog = TenantCatalog(empty)
    catalog.verify_index({"embedding": "hashing-1024"}, claim=True)
    with pytest.raises(IndexMismatchError):
        catalog.verify_index({"analyzer": "persian-1", "embedding": "other"}, claim=True)
    catalog.verify_index({"analyzer": "persian-2", "embedding": "hashing-1024"}, claim=True)
