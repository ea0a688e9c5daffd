from __future__ import annotations

from collections.abc import Callable

import pytest
from llama_index.core.base.base_retriever import BaseRetriever

from rag_app import RagApp
from rag_app.retrievers.stores import BySizeStore, MemoryStore
from rag_app.schema import RetrievalQuery
from rag_app.storage import Database, TenantPGVectorStore, VectorReader

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
    assert len(await store.anearest(ask("ارسال", tenant, ("web",)), EMBEDDING, 20)) == 3  # few of a source, not few
    assert memory.holds(tenant) is held
    app.delete("0", tenant=tenant)
    assert len(await store.anearest(ask("ارسال", tenant), EMBEDDING, 20)) == 4
    assert memory.holds(tenant)


async def test_where_the_size_is_not_known_memory_serves_what_it_has(
    app: RagApp, ask: Ask, memory: MemoryStore, tenant: str
) -> None:
    app.ingest([{"id": "a", "text": "ارسال"}], tenant=tenant)
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
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
    assert (type(store), store._most_chunks) == (BySizeStore, 1953)
    query = ask("ارسال کتاب", tenant)
    found = {hit.node.node_id: hit.score for hit in app.pipeline.retriever.legs["dense"].retrieve(query)}
    assert found == pytest.approx({hit.node.node_id: hit.score for hit in postgres.retrieve(query)}, abs=1e-5)
    assert store._memory.holds(tenant)
