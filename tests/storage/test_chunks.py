"""Reading chunks by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.errors import DatabaseUnavailableError
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader, Database


@pytest.fixture
def write(app: RagApp, tenant: str) -> Callable[[str, str], int]:
    """Stores a document and returns the tenant's generation afterwards."""

    def write(doc_id: str, text: str) -> int:
        app.ingest([{"id": doc_id, "text": text}], tenant=tenant)
        return app.loop.call(app.pipeline.catalog.asnapshot, tenant).generation

    return write


async def ids_of(database: Database, tenant: str) -> dict[str, str]:
    """The id of each document's chunk."""
    return {chunk.doc_id: chunk.node_id for chunk in (await ChunkReader(database).atokens(tenant)).chunks}


def refused(*arguments: Any, **options: Any) -> None:
    raise DatabaseUnavailableError("PostgreSQL does not answer")


async def found(reader: ChunkReader, tenant: str, generation: int, *node_ids: str) -> list[tuple[str, float | None]]:
    query = RetrievalQuery("?", tenant=tenant, generation=generation)
    scores = {node_id: 1 / rank for rank, node_id in enumerate(node_ids, start=1)}
    return [(hit.node.get_content(), hit.score) for hit in await reader.afound(query, scores)]


async def test_they_come_in_the_order_and_with_the_scores_they_were_found_with(
    own_pool: Database, tenant: str, write: Callable[[str, str], int]
) -> None:
    write("a", "یک")
    generation = write("b", "دو")
    ids, reader = await ids_of(own_pool, tenant), ChunkReader(own_pool)
    for _ in range(2):
        assert await found(reader, tenant, generation, ids["b"], ids["a"]) == [("دو", 1.0), ("یک", 0.5)]
    assert await found(reader, "another", generation, ids["b"]) == []


async def test_they_are_read_once_until_the_tenant_changes(
    own_pool: Database, tenant: str, write: Callable[[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = write("a", "یک")
    ids, reader = await ids_of(own_pool, tenant), ChunkReader(own_pool)
    await found(reader, tenant, generation, ids["a"])
    with monkeypatch.context() as patched:
        patched.setattr(own_pool, "afetch", refused)
        assert await found(reader, tenant, generation, ids["a"]) == [("یک", 1.0)]
    assert await found(reader, tenant, write("a", "دو"), ids["a"]) == [("دو", 1.0)]


async def test_one_that_was_deleted_is_left_out(
    app: RagApp, own_pool: Database, tenant: str, write: Callable[[str, str], int]
) -> None:
    write("b", "دو")
    generation = write("a", "یک")
    ids, reader = await ids_of(own_pool, tenant), ChunkReader(own_pool)
    await found(reader, tenant, generation, ids["a"], ids["b"])
    app.delete("a", tenant=tenant)
    assert await found(reader, tenant, generation + 1, ids["a"], ids["b"]) == [("دو", 0.5)]


async def test_while_the_database_is_away_those_in_memory_serve_and_that_is_noted(
    own_pool: Database, tenant: str, write: Callable[[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("b", "دو")
    generation = write("a", "یک")
    ids, reader = await ids_of(own_pool, tenant), ChunkReader(own_pool)
    await found(reader, tenant, generation, ids["a"])
    monkeypatch.setattr(own_pool, "afetch", refused)
    query = RetrievalQuery("?", tenant=tenant)  # the generation is not known either
    hits = await reader.afound(query, {ids["b"]: 1.0, ids["a"]: 0.5})
    assert [(hit.node.get_content(), hit.score) for hit in hits] == [("یک", 0.5)]
    (noted,) = query.trace.degradations
    assert (noted.component, noted.reason, noted.fallback) == ("chunks", "DatabaseUnavailableError", "those in memory")
    with pytest.raises(DatabaseUnavailableError):
        await found(reader, tenant, generation, ids["b"])


async def test_parents_are_read_once_until_the_tenant_changes(
    own_pool: Database, tenant: str, write: Callable[[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = write("a", "یک")
    reader = ChunkReader(own_pool)
    (chunk,) = (await reader.atokens(tenant)).chunks

    async def text(generation: int) -> str:
        query = RetrievalQuery("?", tenant=tenant, generation=generation)
        return (await reader.aparents(query, [chunk.parent_id]))[chunk.parent_id].text

    assert await text(generation) == "یک"
    with monkeypatch.context() as patched:
        patched.setattr(own_pool, "afetch", refused)
        assert await text(generation) == "یک"
    assert await text(write("a", "دو")) == "دو"
