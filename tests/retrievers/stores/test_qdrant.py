from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from qdrant_client import QdrantClient

from rag_app import RagApp
from rag_app.embeddings import EmbeddingOptions, open_embedding
from rag_app.errors import ComponentError, ConfigurationError
from rag_app.retrievers import DenseLeg
from rag_app.retrievers.stores.qdrant import QdrantOptions, QdrantStore, points
from rag_app.schema import Deadline, RetrievalQuery
from rag_app.storage import ChunkReader
from tests.conftest import INSTITUTE, SAMPLE_TENANT, heartbeat

Ask = Callable[..., RetrievalQuery]
EMBEDDING = open_embedding("hashing", EmbeddingOptions())
DIM = EMBEDDING.dim


def store_of(app: RagApp, options: QdrantOptions | None = None, **changed: Any) -> QdrantStore:
    given: dict[str, Any] = {"embed_dim": DIM, "fingerprint": "hashing", "patience_s": 20, **changed}
    return QdrantStore(options or QdrantOptions(), app.database, **given)


@pytest.fixture
def store(app: RagApp) -> Iterator[QdrantStore]:
    opened = store_of(app)
    yield opened
    opened.close()


def leg_of(store: QdrantStore, app: RagApp) -> DenseLeg:
    return DenseLeg(store, ChunkReader(app.database), EMBEDDING, app.loop)


def held(store: QdrantStore, tenant: str) -> set[str]:
    """The chunks of a tenant that have a point."""

    def read(client: QdrantClient) -> set[str]:
        found, _ = client.scroll("rag_app", points.within(tenant), limit=10_000)
        return {(point.payload or {})["node_id"] for point in found}

    return store._connection.submit(read).result()


def stored(app: RagApp, tenant: str) -> set[str]:
    rows = app.database.fetch(tenant, "SELECT node_id FROM rag_app.data_chunks WHERE tenant = %(tenant)s", {})
    return {row.node_id for row in rows}


def write_long(app: RagApp, tenant: str, doc_id: str, sentences: int) -> None:
    text = " ".join(f"این جمله {number} درباره ارسال کتاب با پست پیشتاز است." for number in range(sentences))
    app.ingest([{"id": doc_id, "text": text, "source": "web"}], tenant=tenant)


def test_it_finds_what_postgres_finds(
    store: QdrantStore, app: RagApp, ask: Ask, postgres: BaseRetriever, questions: list[dict[str, str]]
) -> None:
    for question in questions:
        for sources in (None, ("faq", "website")):
            query = ask(question["text"], SAMPLE_TENANT, sources)
            expected = postgres.retrieve(query)
            found = leg_of(store, app).retrieve(query)
            assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-3)
            assert found[0].node == expected[0].node


def test_every_change_leaves_a_point_for_each_chunk_and_none_besides(
    store: QdrantStore, app: RagApp, tenant: str
) -> None:
    write_long(app, tenant, "long", 60)
    write_long(app, tenant, "other", 9)
    app.ingest([{"id": "empty", "text": "- - - * * *"}], tenant=tenant)  # has a vector of zeros
    nowhere = stored(app, tenant)
    store.refresh(tenant)
    nowhere -= held(store, tenant)
    assert len(nowhere) == 1
    before = len(held(store, tenant))
    write_long(app, tenant, "long", 5)  # fewer chunks, the first of them under the same id
    store.refresh(tenant)
    assert held(store, tenant) == stored(app, tenant) - nowhere
    assert len(held(store, tenant)) < before
    app.delete("long", tenant=tenant)
    store.refresh(tenant)
    assert held(store, tenant) == stored(app, tenant) - nowhere
    write_long(app, tenant, "long", 5)
    app.delete_source("web", tenant=tenant)  # leaves no note of each document
    write_long(app, tenant, "new", 5)
    store.refresh(tenant)
    assert held(store, tenant) == stored(app, tenant) - nowhere
    app.delete_tenant(tenant)
    store.refresh(tenant)
    assert held(store, tenant) == set()


def test_a_tenants_changes_leave_another_tenants_points(store: QdrantStore, app: RagApp, tenant: str) -> None:
    other = f"{tenant[:-2]}~2"
    for owner in (tenant, other):
        write_long(app, owner, "same", 20)
        store.refresh(owner)
    others = held(store, other)
    write_long(app, tenant, "same", 2)
    store.refresh(tenant)
    app.delete_source("web", tenant=tenant)
    store.refresh(tenant)
    assert held(store, tenant) == set()
    assert held(store, other) == others == stored(app, other)


def test_another_process_finds_what_one_wrote_and_writes_nothing(
    store: QdrantStore, app: RagApp, ask: Ask, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_long(app, tenant, "a", 9)
    store.refresh(tenant)
    second = store_of(app)
    second._connection.close()
    second._connection = store._connection  # as two processes reach one server
    monkeypatch.setattr(second, "_put", None)
    assert leg_of(second, app).retrieve(ask("ارسال", tenant))
    monkeypatch.undo()
    write_long(app, tenant, "b", 9)
    second.refresh(tenant)
    monkeypatch.setattr(store, "_put", None)
    assert {hit.node.metadata["doc_id"] for hit in leg_of(store, app).retrieve(ask("ارسال", tenant))} == {"a", "b"}


def test_processes_that_write_at_once_take_turns(store: QdrantStore, app: RagApp, tenant: str) -> None:
    def work(number: int) -> None:
        for sentences in (30, 3, 12):
            write_long(app, tenant, f"d{number % 2}", sentences + number)
            other.refresh(tenant) if number % 2 else store.refresh(tenant)

    other = store_of(app)
    other._connection.close()
    other._connection = store._connection
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.refresh(tenant)
    assert held(store, tenant) == stored(app, tenant)


def test_points_of_another_embedding_are_written_anew(store: QdrantStore, app: RagApp, tenant: str) -> None:
    write_long(app, tenant, "a", 9)
    store.refresh(tenant)
    other = store_of(app, fingerprint="another")
    other._connection.close()
    other._connection = store._connection
    written: list[str] = []
    put = other._put
    other._put = lambda tenant, doc_ids: (written.extend(doc_ids), put(tenant, doc_ids))  # type: ignore[assignment]
    other.refresh(tenant)
    assert written == ["a"]


def test_a_collection_of_vectors_of_another_length_is_refused(app: RagApp, tenant: str, tmp_path: Path) -> None:
    options = QdrantOptions(path=str(tmp_path))
    write_long(app, tenant, "a", 3)
    first = store_of(app, options)
    first.refresh(tenant)
    first.close()
    second = store_of(app, options, embed_dim=64)
    with pytest.raises(ComponentError, match=r"name another qdrant\.collection") as caught:
        second.refresh(tenant)
    assert caught.value.reason == "qdrant refused"
    second.close()


async def test_a_query_without_time_searches_what_is_there_and_notes_it(
    store: QdrantStore, app: RagApp, ask: Ask, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_long(app, tenant, "a", 3)
    store.refresh(tenant)
    write_long(app, tenant, "b", 3)
    goes_on = threading.Event()
    put = store._put
    monkeypatch.setattr(store, "_put", lambda *given: (goes_on.wait(60), put(*given)))
    query = ask("ارسال", tenant)
    query.deadline = Deadline.after(0.4)
    async with heartbeat() as beats:
        found = await leg_of(store, app).aretrieve(query)
    assert {hit.node.metadata["doc_id"] for hit in found} == {"a"}
    (noted,) = query.trace.degradations
    assert (noted.component, noted.reason) == ("qdrant", "index behind")
    assert len(beats) > 10
    goes_on.set()
    later = ask("ارسال", tenant)
    assert {hit.node.metadata["doc_id"] for hit in await leg_of(store, app).aretrieve(later)} == {"a", "b"}
    assert not later.trace.degradations


def test_the_application_keeps_it_up_to_date_and_finds_it_again(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        "database": {"url": new_database()},
        "retrieval": {"dense": "qdrant", "leg_timeout_s": 20},
        "qdrant": {"path": tmp_path / "qdrant"},
        "deadline_s": 30,
    }
    with RagApp.from_config(**settings) as app:
        app.ingest(INSTITUTE / "documents", tenant="t1")
        app.ingest([{"id": "gone", "text": "ارسال کتاب"}], tenant="t1")
        app.delete("gone", tenant="t1")
        (store,) = app._components.followers
        app._indexing.submit(lambda: None).result()
        assert isinstance(store, QdrantStore)
        assert held(store, "t1") == stored(app, "t1")
        app._components.writer.delete_source("t1", "faq")  # as another process, which has no Qdrant
        app.reindex()
        assert held(store, "t1") == stored(app, "t1")
    monkeypatch.setattr(QdrantStore, "_put", None)
    with RagApp.from_config(**settings) as app:
        result = app.retrieve("شهریه آیلتس", tenant="t1")
        assert not result.degraded
        assert any("dense" in chunk.legs for chunk in result.trace.chunks.values())


def test_an_unreachable_server_costs_the_dense_leg_alone(new_database: Callable[[], str]) -> None:
    with RagApp.from_config(
        database={"url": new_database()},
        retrieval={"dense": "qdrant"},
        qdrant={"url": "http://127.0.0.1:1"},
        deadline_s=30,
    ) as app:
        app.ingest(INSTITUTE / "documents", tenant="t1")
        result = app.retrieve("شهریه آیلتس", tenant="t1")
        assert result.nodes
        told = [(each.component, each.reason, each.fallback) for each in result.trace.degradations]
        assert told == [("dense", "qdrant unavailable", "bm25")]
        with pytest.raises(ComponentError, match=r"Qdrant \(http://127.0.0.1:1\) does not answer: .*refused"):
            app.reindex("t1")


@contextmanager
def recording_server() -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """A server that answers as Qdrant does to one who begins, and keeps what was asked."""
    asked: list[tuple[str, str, Any]] = []
    vectors = {"size": DIM, "distance": "Cosine"}
    config = {
        "params": {"vectors": vectors},
        "hnsw_config": {"m": 0, "ef_construct": 100, "full_scan_threshold": 10_000},
        "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "flush_interval_sec": 5}
        | {"default_segment_number": 0},
    }
    answers = {
        ("GET", "exists"): {"exists": False},
        ("GET", "rag_app"): {
            "status": "green",
            "optimizer_status": "ok",
            "segments_count": 1,
            "config": config,
            "payload_schema": {},
        },
        ("POST", "points"): [],
        ("POST", "query"): {"points": []},
        ("POST", "scroll"): {"points": [], "next_page_offset": None},
        ("PUT", "rag_app"): True,
    }

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            asked.append((f"{self.command} {path}", self.headers.get("api-key", ""), json.loads(body or "null")))
            result = answers.get((self.command, path.rpartition("/")[2]), {"operation_id": 1, "status": "completed"})
            data = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_server_gets_a_graph_and_an_index_for_each_tenant_and_every_request_names_one(
    app: RagApp, ask: Ask, tenant: str
) -> None:
    write_long(app, tenant, "a", 3)
    with recording_server() as (url, asked):
        store = store_of(app, QdrantOptions(url=url, api_key="secret"))
        leg_of(store, app).retrieve(ask("ارسال", tenant, ("web",)))
        store.close()
    assert {key for _, key, _ in asked} == {"secret"}
    (created,) = [body for what, _, body in asked if what == "PUT /collections/rag_app"]
    assert created["hnsw_config"] == {"m": 0, "payload_m": 16}
    assert (created["vectors"]["size"], created["vectors"]["distance"]) == (DIM, "Cosine")
    indexed = {body["field_name"]: body["field_schema"] for what, _, body in asked if what.endswith("/index")}
    assert indexed["tenant"] == {"type": "keyword", "is_tenant": True}
    assert set(indexed) == {"tenant", "source", "doc_id"}
    own = {"key": "tenant", "match": {"value": tenant}}
    (searched,) = [body for what, _, body in asked if what.endswith("/query")]
    assert searched["filter"]["must"] == [own, {"key": "source", "match": {"any": ["web"]}}]
    for what, _, body in asked:
        if what.endswith(("/delete", "/scroll")):
            assert own in body["filter"]["must"]


def test_a_url_and_a_path_are_refused() -> None:
    from rag_app.config import load_settings

    with pytest.raises(ConfigurationError, match="qdrant: url is for a server and path for the local mode"):
        load_settings(qdrant={"url": "http://localhost:6333", "path": "here"})
    assert "secret" not in repr(load_settings(qdrant={"url": "http://localhost:6333", "api_key": "secret"}))
