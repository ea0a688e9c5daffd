from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from numpy.typing import NDArray
from sqlalchemy import text

from rag_app.errors import InvalidInputError
from rag_app.schema import ParsedDocument
from rag_app.storage import Database, DocumentWriter, TenantPGVectorStore, schema_version

DIM = 64
TENANTS = ("a", "b", "' OR '1'='1")
SOURCES = ("manual", "faq", "x' OR 'x'='x")
TOP_K = 12


def vectors(tenant: str) -> NDArray[np.float64]:
    """Return the 60 vectors of a tenant; 20 of each source, in the order of the sources."""
    return np.random.default_rng(TENANTS.index(tenant)).normal(size=(60, DIM))


def source_of(number: int) -> str:
    return SOURCES[number // 20]


QUESTION = np.random.default_rng(99).normal(size=DIM)


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    """A database where each tenant has 60 chunks of the same ids, with vectors of its own."""
    url = new_database()
    database = Database(url)
    schema_version.upgrade(database)
    writer = DocumentWriter(database)
    for tenant in TENANTS:
        for number, vector in enumerate(vectors(tenant)):
            doc_id = f"d{number:02}"
            source = source_of(number)
            metadata = {"tenant": tenant, "source": source, "doc_id": doc_id}
            child = TextNode(id_=doc_id, text=f"متن {number}", embedding=vector.tolist(), metadata=metadata)
            writer.write(tenant, ParsedDocument(doc_id, source, "", "", metadata, [], [child], [[str(number)]]))
    database.engine.dispose()
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[TenantPGVectorStore]:
    database = Database(url)
    yield TenantPGVectorStore(database, DIM)
    await database.aclose()


def brute_force(tenant: str, sources: Sequence[str] | None) -> list[tuple[str, float]]:
    """Return the ids and cosine similarities of the nearest chunks, computed in double precision."""
    all_vectors = vectors(tenant)
    cosines = all_vectors @ QUESTION / (np.linalg.norm(all_vectors, axis=1) * np.linalg.norm(QUESTION))
    allowed = [number for number in range(60) if sources is None or source_of(number) in sources]
    best = sorted(allowed, key=lambda number: -cosines[number])[:TOP_K]
    return [(f"d{number:02}", float(cosines[number])) for number in best]


def nearest(mode: VectorStoreQueryMode = VectorStoreQueryMode.DEFAULT) -> VectorStoreQuery:
    return VectorStoreQuery(
        query_embedding=QUESTION.tolist(), similarity_top_k=TOP_K, mode=mode, query_str="متن", sparse_top_k=5
    )


CHOICES = [None, ["manual"], ["faq", "x' OR 'x'='x"], list(SOURCES)]


@pytest.mark.parametrize("sources", CHOICES)
@pytest.mark.parametrize("tenant", TENANTS)
def test_a_query_returns_what_brute_force_over_the_tenants_vectors_returns(
    store: TenantPGVectorStore, tenant: str, sources: list[str] | None
) -> None:
    found = store.query(nearest(), tenant=tenant, sources=sources)
    expected = brute_force(tenant, sources)
    assert found.ids == [node_id for node_id, _ in expected]
    assert found.similarities == pytest.approx([cosine for _, cosine in expected], abs=1e-3)
    assert {node.metadata["tenant"] for node in found.nodes or ()} == {tenant}


@pytest.mark.parametrize("sources", CHOICES)
async def test_the_asynchronous_query_returns_the_same(store: TenantPGVectorStore, sources: list[str] | None) -> None:
    found = await store.aquery(nearest(), tenant="b", sources=sources)
    same = store.query(nearest(), tenant="b", sources=sources)
    assert (found.ids, found.similarities, found.nodes) == (same.ids, same.similarities, same.nodes)
    assert len(found.ids or ()) == TOP_K


def test_nodes_come_back_with_their_text_and_metadata(store: TenantPGVectorStore) -> None:
    found = store.query(nearest(), tenant="a")
    assert [node.get_content() for node in found.nodes or ()] == [f"متن {int(i[1:])}" for i in found.ids or ()]
    first = (found.nodes or [TextNode()])[0]
    assert first.metadata == {"tenant": "a", "source": source_of(int(first.node_id[1:])), "doc_id": first.node_id}


@pytest.mark.parametrize("sources", [[], ["unknown"], ["manual' OR '1'='1"]])
def test_sources_that_the_tenant_does_not_have_return_nothing(store: TenantPGVectorStore, sources: list[str]) -> None:
    assert store.query(nearest(), tenant="a", sources=sources).ids == []


def test_an_unknown_tenant_has_nothing(store: TenantPGVectorStore) -> None:
    assert store.query(nearest(), tenant="c").ids == []


async def test_a_query_runs_as_the_tenant_under_row_level_security(store: TenantPGVectorStore, url: str) -> None:
    owner = Database(url)
    policy = "POLICY all_of_it ON rag_app.data_chunks"
    with owner.transaction() as connection:
        connection.execute(text(f"CREATE {policy} AS RESTRICTIVE USING (current_user <> 'rag_app_tenant')"))
    try:
        assert store.query(nearest(), tenant="a").ids == []
        assert (await store.aquery(nearest(), tenant="a")).ids == []
    finally:
        with owner.transaction() as connection:
            connection.execute(text(f"DROP {policy}"))
        owner.engine.dispose()


@pytest.mark.parametrize("filters", [[], [MetadataFilter(key="source", value="manual")]])
async def test_metadata_filters_are_refused(store: TenantPGVectorStore, filters: list[MetadataFilter]) -> None:
    query = nearest()
    query.filters = MetadataFilters(filters=list(filters))
    with pytest.raises(InvalidInputError, match=r"tenant=, sources= and doc_ids="):
        store.query(query, tenant="a")
    with pytest.raises(InvalidInputError, match=r"tenant=, sources= and doc_ids="):
        await store.aquery(query, tenant="a")


@pytest.mark.parametrize("arguments", [{}, {"tenant": ""}, {"tenant": None}, {"tenant": 1}])
async def test_a_query_that_names_no_tenant_is_refused(
    store: TenantPGVectorStore, arguments: dict[str, object]
) -> None:
    with pytest.raises(InvalidInputError, match="tenant"):
        store.query(nearest(), **arguments)
    with pytest.raises(InvalidInputError, match="tenant"):
        await store.aquery(nearest(), **arguments)


@pytest.mark.parametrize("mode", [VectorStoreQueryMode.SPARSE, VectorStoreQueryMode.HYBRID, VectorStoreQueryMode.MMR])
async def test_query_modes_that_know_no_tenant_are_refused(
    store: TenantPGVectorStore, mode: VectorStoreQueryMode
) -> None:
    with pytest.raises(InvalidInputError, match="default mode alone"):
        store.query(nearest(mode), tenant="a")
    with pytest.raises(InvalidInputError, match="default mode alone"):
        await store.aquery(nearest(mode), tenant="a")


async def test_reading_or_writing_past_the_tenant_is_refused(store: TenantPGVectorStore, url: str) -> None:
    node = TextNode(id_="new", text="متن", embedding=QUESTION.tolist())
    for call in (
        lambda: store.add([node]),
        lambda: store.delete("d00"),
        lambda: store.delete_nodes(["d00"]),
        lambda: store.get_nodes(["d00"]),
        store.clear,
    ):
        with pytest.raises(InvalidInputError, match="query and aquery"):
            call()
    for acall in (
        lambda: store.async_add([node]),
        lambda: store.adelete("d00"),
        lambda: store.adelete_nodes(["d00"]),
        lambda: store.aget_nodes(["d00"]),
        store.aclear,
    ):
        with pytest.raises(InvalidInputError, match="query and aquery"):
            await acall()
    owner = Database(url)
    with owner.transaction() as connection:
        assert connection.scalar(text("SELECT count(*) FROM rag_app.data_chunks")) == 60 * len(TENANTS)
    owner.engine.dispose()


def test_the_sql_text_holds_no_value(store: TenantPGVectorStore) -> None:
    hostile, ids = TENANTS[2], frozenset(["d'; DROP TABLE x --"])
    for ef_search in (None, 100):
        tenant, query, parameters, _ = store._search(
            QUESTION.tolist(), 7, tenant=hostile, sources=[SOURCES[2]], doc_ids=ids, ef_search=ef_search
        )
        assert (tenant, parameters["sources"], parameters["doc_ids"]) == (hostile, [SOURCES[2]], list(ids))
        _, other, _, _ = store._search(
            QUESTION.tolist(), 9, tenant="b", sources=None, doc_ids=None, ef_search=ef_search
        )
        assert query == other
