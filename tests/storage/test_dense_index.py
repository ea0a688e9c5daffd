from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import TextNode
from numpy.typing import NDArray
from sqlalchemy import text

from rag_app import RagApp
from rag_app.errors import StorageError
from rag_app.schema import ParsedDocument
from rag_app.storage import (
    Database,
    DenseIndexes,
    DenseIndexStatus,
    DocumentWriter,
    TenantPGVectorStore,
    schema_version,
)
from rag_app.storage.dense_index import RECALL

DIM = 64
LIMIT = 100
LARGE, SMALL, HOSTILE = "large", "small", "' OR '1'='1'; -- \\ \" $$ %s :x"
SIZES = {LARGE: 2000, SMALL: 60, HOSTILE: 300}
SOURCES = ("manual", "faq")
TOP_K = 20


def vectors(tenant: str) -> NDArray[np.float64]:
    """Return vectors in fifty clusters, as those of texts on fifty subjects lie."""
    rng = np.random.default_rng(len(tenant))
    centres = rng.normal(size=(50, DIM))
    return centres[rng.integers(50, size=SIZES[tenant])] + rng.normal(scale=0.5, size=(SIZES[tenant], DIM))


def question(words: str) -> list[float]:
    """Return a vector near a cluster, another one for other words."""
    rng = np.random.default_rng(abs(hash_of(words)) % 2**32)
    tenant = LARGE
    return (vectors(tenant)[rng.integers(SIZES[tenant])] + rng.normal(scale=0.3, size=DIM)).tolist()  # type: ignore[no-any-return]


def hash_of(words: str) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate(words))


def write(database: Database, tenant: str, embeddings: NDArray[np.float64]) -> None:
    writer = DocumentWriter(database)
    documents = []
    for number, vector in enumerate(embeddings):
        source = SOURCES[number % 10 == 0]
        metadata = {"tenant": tenant, "source": source, "doc_id": f"d{number}", "title": ""}
        child = TextNode(id_=f"d{number}", text=f"یک متن با شماره {number} از این گروه", metadata=metadata)
        child.embedding = vector.tolist()
        documents.append(ParsedDocument(f"d{number}", source, "", "", metadata, [], [child], [[str(number)]]))
    writer.write(tenant, *documents)


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    url = new_database()
    database = Database(url)
    schema_version.upgrade(database)
    for tenant in SIZES:
        write(database, tenant, vectors(tenant))
    database.engine.dispose()
    return url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.engine.dispose()


def indexes_of(
    database: Database, embed: Callable[[str], Sequence[float]] = question, exact_limit: int = LIMIT
) -> DenseIndexes:
    return DenseIndexes(database, TenantPGVectorStore(database, DIM), embed, exact_limit=exact_limit)


@pytest.fixture
def indexes(database: Database) -> DenseIndexes:
    return indexes_of(database)


def brute_force(tenant: str, query: Sequence[float], source: str | None = None) -> list[str]:
    all_vectors = vectors(tenant).astype(np.float16).astype(np.float64)
    cosines = all_vectors @ np.asarray(query) / np.linalg.norm(all_vectors, axis=1)
    allowed = [n for n in range(len(all_vectors)) if source is None or SOURCES[n % 10 == 0] == source]
    return [f"d{number}" for number in sorted(allowed, key=lambda number: -cosines[number])[:TOP_K]]


def plan(database: Database, tenant: str, ef_search: int | None, sources: list[str] | None = None) -> str:
    store = TenantPGVectorStore(database, DIM)
    tenant, query, parameters, settings = store._search(
        question("q"), TOP_K, tenant=tenant, sources=sources, ef_search=ef_search
    )
    return "\n".join(row[0] for row in database.fetch(tenant, "EXPLAIN " + query, parameters, settings))


def test_a_tenant_above_the_limit_gets_an_index_and_a_tenant_below_does_not(
    database: Database, indexes: DenseIndexes
) -> None:
    for tenant in (LARGE, HOSTILE):
        status = indexes.refresh(tenant)
        assert (status.kind, status.chunks) == ("hnsw", SIZES[tenant])
        assert status.bytes > 0
        assert status.ef_search is not None
        assert RECALL <= (status.recall or 0) <= 1
    small = indexes.refresh(SMALL)
    assert (small.kind, small.bytes, small.ef_search) == ("exact", 0, None)


def test_the_plan_uses_the_tenants_own_index_or_compares_all(database: Database, indexes: DenseIndexes) -> None:
    used = {}
    for tenant in (LARGE, HOSTILE):
        indexes.refresh(tenant)
        for sources in (None, ["faq"]):
            shown = plan(database, tenant, 100, sources)
            assert "Index Scan using chunks_hnsw_" in shown
            used[tenant] = shown.partition("Index Scan using ")[2].split()[0]
            assert "chunks_hnsw_" not in plan(database, tenant, None, sources)
    assert used[LARGE] != used[HOSTILE]
    assert "chunks_hnsw_" not in plan(database, SMALL, 100)


@pytest.mark.parametrize("source", [None, "faq", "manual"])
def test_the_index_finds_what_comparing_all_finds(
    database: Database, indexes: DenseIndexes, source: str | None
) -> None:
    status = indexes.refresh(LARGE)
    store = TenantPGVectorStore(database, DIM)
    found = 0
    for number in range(50):
        query = question(f"سوال {number}")
        expected = brute_force(LARGE, query, source)
        sources = None if source is None else [source]
        nearest = [
            row.node_id
            for row in database.fetch(
                *store._search(query, TOP_K, tenant=LARGE, sources=sources, ef_search=status.ef_search)
            )
        ]
        assert len(nearest) == TOP_K
        found += len(set(nearest) & set(expected))
        exact = database.fetch(*store._search(query, TOP_K, tenant=LARGE, sources=sources))
        assert {row.node_id for row in exact} == set(expected)
    assert found / (50 * TOP_K) >= RECALL


def test_the_index_of_one_tenant_never_shows_a_row_of_another(database: Database, indexes: DenseIndexes) -> None:
    status = indexes.refresh(LARGE)
    indexes.refresh(HOSTILE)
    store = TenantPGVectorStore(database, DIM)
    for tenant in SIZES:
        rows = database.fetch(
            *store._search_texts(question("x"), 2000, None, tenant=tenant, ef_search=status.ef_search)
        )
        assert {json.loads(row.node)["metadata"]["tenant"] for row in rows} == {tenant}


def test_an_index_that_loses_hits_is_not_used(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    own = Database(new_database())
    schema_version.upgrade(own)
    rng = np.random.default_rng(1)
    hard = rng.normal(size=(6000, DIM))  # without clusters, the worst for a graph
    write(own, "hard", hard)

    def embed(words: str) -> list[float]:
        return list(np.random.default_rng(hash_of(words) % 2**32).normal(size=DIM))

    monkeypatch.setattr("rag_app.storage.dense_index.EF_SEARCH", (20,))
    status = indexes_of(own, embed).refresh("hard")
    assert (status.kind, status.ef_search) == ("exact", None)
    assert "below 0.99" in status.reason
    assert (status.recall or 0) < RECALL
    own.engine.dispose()


def test_what_is_deleted_while_an_index_is_measured_does_not_count_as_lost(
    database: Database, indexes: DenseIndexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = "measured"
    SIZES[tenant] = 200
    try:
        write(database, tenant, vectors(tenant))
        kept, searches = TenantPGVectorStore.distances, iter(range(10**6))

        def distances(self: TenantPGVectorStore, *given: Any, **options: Any) -> list[float]:
            if next(searches) == 100:  # the exact distances of all questions are known
                DocumentWriter(database).delete_others(tenant, None, [f"d{number}" for number in range(60)])
            return kept(self, *given, **options)

        monkeypatch.setattr(TenantPGVectorStore, "distances", distances)
        assert (indexes.refresh(tenant).chunks, next(searches) > 101) == (60, True)
        (row,) = database.fetch(tenant, "SELECT ef_search, recall FROM rag_app.dense_indexes", {})
        assert (row.ef_search is not None, row.recall >= RECALL) == (True, True)
    finally:
        DocumentWriter(database).delete_tenant(tenant)
        indexes.refresh(tenant)
        del SIZES[tenant]


def test_an_index_is_measured_again_after_growth_and_dropped_after_shrinking(
    database: Database, indexes: DenseIndexes
) -> None:
    tenant = "grows"
    SIZES[tenant] = 150
    try:
        write(database, tenant, vectors(tenant))
        assert indexes.refresh(tenant).kind == "hnsw"
        first = database.fetch(tenant, "SELECT chunks, measured_at FROM rag_app.dense_indexes", {})
        assert indexes.refresh(tenant).kind == "hnsw"
        assert database.fetch(tenant, "SELECT chunks, measured_at FROM rag_app.dense_indexes", {}) == first
        SIZES[tenant] = 300
        write(database, tenant, vectors(tenant))
        indexes.refresh(tenant)
        assert database.fetch(tenant, "SELECT chunks FROM rag_app.dense_indexes", {}) == [(300,)]
        DocumentWriter(database).delete_others(tenant, None, [f"d{number}" for number in range(80)])
        status = indexes.refresh(tenant)
        assert (status.kind, status.bytes > 0) == ("exact", True)  # near the limit it stays
        DocumentWriter(database).delete_tenant(tenant)
        assert indexes.refresh(tenant).bytes == 0
        assert database.fetch(tenant, "SELECT 1 FROM rag_app.dense_indexes", {}) == []
    finally:
        del SIZES[tenant]


def test_an_index_whose_build_was_cut_off_is_not_used_and_is_built_anew(url: str) -> None:
    database = Database(url)
    indexes = indexes_of(database)
    indexes.refresh(HOSTILE)
    index = plan(database, HOSTILE, 100).partition("Index Scan using ")[2].split()[0]
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:name)"),
            {"name": f"rag_app.{index}"},
        )
    assert indexes.status(HOSTILE).kind == "exact"
    assert index not in plan(database, HOSTILE, 100)
    assert indexes.refresh(HOSTILE).kind == "hnsw"
    assert index in plan(database, HOSTILE, 100)
    database.engine.dispose()


BUILDER = """
import sys
from rag_app.storage import Database, DenseIndexes, TenantPGVectorStore
database = Database(sys.argv[1])
indexes = DenseIndexes(database, TenantPGVectorStore(database, {dim}), lambda words: [1.0] * {dim}, exact_limit={limit})
print("ready", flush=True)
sys.stdin.readline()
print(indexes.refresh(sys.argv[2]).bytes > 0, flush=True)
"""


def test_builds_of_two_processes_take_turns_beside_writers(url: str, database: Database) -> None:
    for tenant in ("p1", "p2"):
        SIZES[tenant] = 500
        write(database, tenant, vectors(tenant))
    code = BUILDER.format(dim=DIM, limit=LIMIT)
    builders = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, url, tenant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for tenant in ("p1", "p1", "p2")
    ]
    stop = threading.Event()

    def write_on() -> None:
        while not stop.is_set():
            write(database, "p2", vectors("p2")[:5])
            time.sleep(0.01)

    writer = threading.Thread(target=write_on)
    try:
        for builder in builders:
            assert builder.stdout is not None
            assert builder.stdout.readline() == "ready\n"
        writer.start()
        built = [builder.communicate("\n", timeout=60)[0] for builder in builders]
    finally:
        stop.set()
        writer.join()
        for builder in builders:
            builder.kill()
        for tenant in ("p1", "p2"):
            del SIZES[tenant]
    assert built == ["True\n"] * 3
    assert "chunks_hnsw_" in plan(database, "p1", 100)
    assert "chunks_hnsw_" in plan(database, "p2", 100)


def test_who_does_not_own_the_tables_is_told_so(new_database: Callable[[], str]) -> None:
    owner = Database(new_database())
    schema_version.upgrade(owner)
    SIZES["t"] = 150
    write(owner, "t", vectors("t"))
    del SIZES["t"]
    with owner.transaction() as connection:
        connection.execute(text("CREATE ROLE passer_by LOGIN; GRANT rag_app_tenant TO passer_by"))
        connection.execute(text("GRANT USAGE ON SCHEMA rag_app TO passer_by"))
    passer_by = Database(owner.url.set(username="passer_by").render_as_string(hide_password=False))
    try:
        with pytest.raises(StorageError, match="needs the owner of the tables"):
            indexes_of(passer_by).refresh("t")
        assert indexes_of(passer_by).tenants() == []
        assert indexes_of(owner).tenants() == ["t"]
    finally:
        passer_by.engine.dispose()
        with owner.transaction() as connection:
            connection.execute(text("DROP OWNED BY passer_by; DROP ROLE passer_by"))
        owner.engine.dispose()


def test_ingestion_gives_a_tenant_its_index_in_the_background(new_database: Callable[[], str]) -> None:
    url = new_database()
    records = [
        {"id": f"d{number}", "text": f"پاسخ به پرسش {number} دربارهٔ کالای {number * 7}", "source": SOURCES[number % 2]}
        for number in range(150)
    ]
    settings = {"database": {"url": url}, "deadline_s": 30, "retrieval": {"exact_limit": 100, "leg_timeout_s": 20}}
    with RagApp.from_config(**settings) as app:
        app.ingest(records, tenant="t")
    with RagApp.from_config(**settings) as app:  # closing waited for it
        status = app.stats("t").dense_index
        assert (status.kind, status.chunks) == ("hnsw", 150)
        assert app.reindex() == [status]
        result = app.retrieve("کالای 770", tenant="t")
        assert result.nodes[0].node.metadata["doc_id"] == "d110"
        assert not result.degraded
        app.delete_tenant("t")
    with RagApp.from_config(**settings) as app:
        assert app.stats("t").dense_index == DenseIndexStatus("t", "exact", "at most 100 chunks", 0)
