from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from llama_index.core.base.base_retriever import BaseRetriever

from rag_app import RagApp
from rag_app.retrievers.stores import BySizeStore, MemoryStore
from rag_app.schema import RetrievalQuery
from rag_app.storage import Database, TenantPGVectorStore, VectorReader
from rag_app.storage.vectors import VectorSnapshot

Ask = Callable[..., RetrievalQuery]
EMBEDDING = [1.0] * 1024


@pytest.fixture
def memory(app: RagApp) -> MemoryStore:
    return MemoryStore(VectorReader(app.database))


@pytest.mark.parametrize(("most_chunks", "held"), [(4, False), (5, True)])
async def test_the_vectors_of_small_tenants_alone_are_in_memory(
    app: RagApp, ask: Ask, memory: MemoryStore, tenant: str, most_chunks: int, held: bool
) -> None:
    sources = ("web", "faq")
    records = [{"id": str(n), "text": f"ارسال {n}", "source": sources[n % 2]} for n in range(5)]
    app.ingest(records, tenant=tenant)
    store = BySizeStore(memory, TenantPGVectorStore(app.database, 1024), most_chunks)
    query = ask("ارسال", tenant, ("web",))  # few of a source, not few
    found = await store.anearest(query, EMBEDDING, 20)
    assert len(found) == 3
    assert bool(memory._refreshes._running) is held
    await memory.begin_refresh(tenant)
    assert memory.is_as_new(query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_postgres" if held else "_memory", None)  # the other one is not asked
        if not held:
            patch.setattr(store, "_memory", Unasked())
        assert await store.anearest(query, EMBEDDING, 20) == pytest.approx(found, abs=1e-5)


class Unasked:
    def is_as_new(self, query: RetrievalQuery) -> bool:
        raise AssertionError("a large tenant was looked for in memory")


async def test_until_memory_is_as_new_postgres_answers(app: RagApp, ask: Ask, memory: MemoryStore, tenant: str) -> None:
    app.ingest([{"id": name, "text": "ارسال"} for name in "abc"], tenant=tenant)
    store = BySizeStore(memory, TenantPGVectorStore(app.database, 1024), 10)
    await memory.begin_refresh(tenant)
    app.delete("a", tenant=tenant)
    query = ask("ارسال", tenant)
    assert not memory.is_as_new(query)
    found = await store.anearest(query, EMBEDDING, 20)
    assert len(found) == 2
    await memory.begin_refresh(tenant)  # the one that the question began
    assert memory.is_as_new(query)
    assert await store.anearest(query, EMBEDDING, 20) == pytest.approx(found, abs=1e-5)


async def test_where_the_size_is_not_known_memory_serves_what_it_has(
    app: RagApp, ask: Ask, memory: MemoryStore, tenant: str
) -> None:
    app.ingest([{"id": "a", "text": "ارسال"}], tenant=tenant)
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    await memory.begin_refresh(tenant)
    store = BySizeStore(memory, TenantPGVectorStore(gone, 1024), 10)
    known = await store.anearest(ask("ارسال", tenant), EMBEDDING, 20)
    assert len(known) == 1
    unsized = RetrievalQuery("ارسال", tenant=tenant)
    assert await store.anearest(unsized, EMBEDDING, 20) == known
    store = BySizeStore(MemoryStore(VectorReader(gone)), TenantPGVectorStore(app.database, 1024), 10)
    assert (await store.anearest(unsized, EMBEDDING, 20)).keys() == known.keys()


def test_the_dense_leg_keeps_small_tenants_in_memory_by_default(
    app: RagApp, ask: Ask, postgres: BaseRetriever, tenant: str
) -> None:
    app.ingest([{"id": str(n), "text": f"ارسال کتاب {n}"} for n in range(30)], tenant=tenant)
    store = app.pipeline.retriever.legs["dense"]._store
    assert (type(store), store._most_chunks) == (BySizeStore, app.settings.retrieval.exact_limit)
    query = ask("ارسال کتاب", tenant)
    expected = {hit.node.node_id: hit.score for hit in postgres.retrieve(query)}

    async def refreshed() -> None:
        await store._memory.begin_refresh(tenant)

    for _ in range(2):
        found = {hit.node.node_id: hit.score for hit in app.pipeline.retriever.legs["dense"].retrieve(query)}
        assert found == pytest.approx(expected, abs=1e-5)
        app.loop.call(refreshed)
    assert store._memory.is_as_new(query)


def test_an_application_that_closes_waits_for_vectors_that_are_being_read(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, read, snapshot = threading.Event(), list[str](), VectorReader.snapshot

    def slow(self: VectorReader, tenant: str) -> VectorSnapshot:
        with self._database.transaction(tenant):
            begun.set()
            time.sleep(0.2)
            read.append(tenant)
        return snapshot(self, tenant)

    monkeypatch.setattr(VectorReader, "snapshot", slow)
    with RagApp.from_config(database={"url": new_database()}, deadline_s=30) as app:
        app.ingest([{"id": "a", "text": "ارسال"}], tenant="t")
        assert len(app.retrieve("ارسال", tenant="t").nodes) == 1
        assert begun.wait(30)
        pool = app.database.engine.pool
    assert read == ["t"]
    assert pool.checkedin() == pool.checkedout() == 0  # type: ignore[attr-defined]
