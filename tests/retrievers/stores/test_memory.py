from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llama_index.core.base.base_retriever import BaseRetriever

from rag_app import RagApp
from rag_app.embeddings import EmbeddingOptions, open_embedding
from rag_app.retrievers import DenseLeg
from rag_app.retrievers.stores import MemoryStore, memory
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader, VectorReader
from tests.conftest import SAMPLE_TENANT

Ask = Callable[..., RetrievalQuery]


@pytest.fixture
def store(app: RagApp) -> MemoryStore:
    return MemoryStore(VectorReader(app.database))


def leg_of(store: MemoryStore, app: RagApp) -> DenseLeg:
    return DenseLeg(store, ChunkReader(app.database), open_embedding("hashing", EmbeddingOptions()), app.loop)


@pytest.mark.parametrize("quick", [0, 10**9])
def test_it_finds_what_postgres_finds_in_its_order(
    store: MemoryStore,
    app: RagApp,
    ask: Ask,
    postgres: BaseRetriever,
    questions: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    quick: int,
) -> None:
    monkeypatch.setattr(memory, "_QUICK", quick)
    for question in questions:
        for sources in (None, ("faq", "website")):
            query = ask(question["text"], SAMPLE_TENANT, sources)
            expected, found = postgres.retrieve(query), leg_of(store, app).retrieve(query)
            assert [hit.node.node_id for hit in found] == [hit.node.node_id for hit in expected]
            np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in expected], atol=1e-5)
            assert found[0].node == expected[0].node


def test_what_changed_is_taken_in_and_gives_what_reading_all_anew_gives(
    store: MemoryStore,
    app: RagApp,
    ask: Ask,
    postgres: BaseRetriever,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(tenant: str) -> None:
        raise AssertionError("everything was read anew")

    leg = leg_of(store, app)
    app.ingest(
        [{"id": str(n), "text": f"ارسال کتاب {n}", "source": ("web", "faq")[n % 2]} for n in range(30)], tenant=tenant
    )
    leg.retrieve(ask("ارسال", tenant))
    with monkeypatch.context() as patched:
        patched.setattr(store._vectors, "snapshot", refused)
        app.delete("3", tenant=tenant)
        app.ingest([{"id": "4", "text": "ارسال مجله"}, {"id": "new", "text": "ارسال فوری"}], tenant=tenant)
        _same(leg, postgres, ask("ارسال", tenant, top_k=100))
    app.delete_source("web", tenant=tenant)  # leaves no note of each document
    _same(leg, postgres, ask("ارسال", tenant, top_k=100))


def _same(leg: DenseLeg, postgres: BaseRetriever, query: RetrievalQuery) -> None:
    expected = {hit.node.node_id: hit.score for hit in postgres.retrieve(query)}
    assert {hit.node.node_id: hit.score for hit in leg.retrieve(query)} == pytest.approx(expected, abs=1e-5)
    assert len(expected) > 5


def test_the_least_recently_used_make_room(store: MemoryStore, app: RagApp, ask: Ask, tenant: str) -> None:
    leg, tenants = leg_of(store, app), [f"{tenant[:-3]}~{number}" for number in range(3)]
    for each in tenants:
        app.ingest([{"id": str(number), "text": f"ارسال {number}"} for number in range(5)], tenant=each)
    leg.retrieve(ask("ارسال", tenants[0]))
    store._max_bytes = int(2.5 * store.nbytes)
    for each in (tenants[1], tenants[0], tenants[2]):
        assert len(leg.retrieve(ask("ارسال", each))) == 5
    assert list(store._entries) == [tenants[0], tenants[2]]
    assert store.nbytes <= store._max_bytes
    store._max_bytes = 1
    assert len(leg.retrieve(ask("ارسال", tenants[1]))) == 5
    assert list(store._entries) == [tenants[1]]


@pytest.mark.parametrize("quick", [0, memory._QUICK])
async def test_many_vectors_are_compared_beside_the_loop_and_few_on_it(
    store: MemoryStore, app: RagApp, ask: Ask, tenant: str, monkeypatch: pytest.MonkeyPatch, quick: int
) -> None:
    app.ingest([{"id": str(number), "text": f"ارسال {number}"} for number in range(5)], tenant=tenant)
    monkeypatch.setattr(memory, "_QUICK", quick)
    compared_by: list[int] = []
    nearest = memory._Entry.nearest

    def noted(*arguments: Any) -> dict[str, float]:
        compared_by.append(threading.get_ident())
        return nearest(*arguments)

    monkeypatch.setattr(memory._Entry, "nearest", noted)
    assert len(await store.anearest(ask("ارسال", tenant), [1.0] * 1024, 5)) == 5
    (by,) = compared_by
    assert (by == threading.get_ident()) is bool(quick)


def test_vectors_without_a_word_are_not_found(store: MemoryStore, app: RagApp, ask: Ask, tenant: str) -> None:
    app.ingest([{"id": "words", "text": "ارسال سفارش"}, {"id": "none", "text": "- - - * * *"}], tenant=tenant)
    found = leg_of(store, app).retrieve(ask("ارسال", tenant))
    assert [hit.node.metadata["doc_id"] for hit in found] == ["words"]
