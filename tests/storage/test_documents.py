from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from sqlalchemy import text

from rag_app import RagApp
from rag_app.errors import DatabaseUnavailableError, UnstorableError
from rag_app.schema import ParsedDocument
from rag_app.storage import ChunkReader, Database, DocumentWriter

TEXT = "\n\n".join(
    f"بند {number}: ارسال سفارش تا {number} روز کاری طول می‌کشد و هزینه آن جداگانه حساب می‌شود. " * 4
    for number in range(1, 13)
)
ODD_TEXT = (
    "  كتاب‌هايِ «مي‌خواهم» ۱٬۲۵۰ ١٢٣ 123 ﷼\r\n\t' OR \"1\"='1 :x %s %(y)s {z} \\n \\\\ [1,2] {a,b} NULL\n\n"
    "e\u0301 é \u200f\u202bراست\u202c \u2028 🙂👩‍👩‍👧 \ufeff \x01\x7f ,\"',;|\n  "
)


@pytest.fixture(scope="module")
def writer(database: Database) -> DocumentWriter:
    return DocumentWriter(database)


def document(version: str, *, doc_id: str = "d", chunks: int = 2, source: str = "manual") -> ParsedDocument:
    """Return a document of one parent and some children, whose ids and texts all name the version."""
    parent = TextNode(id_=f"{doc_id}-{version}-parent", text=f"{version} parent", start_char_idx=0)
    children = [
        TextNode(
            id_=f"{doc_id}-{version}-{number}",
            text=f"{version} {number}",
            embedding=[1.0, float(number)],
            relationships={NodeRelationship.PARENT: RelatedNodeInfo(node_id=parent.node_id)},
        )
        for number in range(chunks)
    ]
    return ParsedDocument(
        doc_id=doc_id,
        source=source,
        title=version,
        content_hash=f"hash {version}",
        metadata={"version": version},
        parents=[parent],
        children=children,
        tokens=[[version, str(number)] for number in range(chunks)],
    )


def stored(database: Database, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the tenant with its place in the table, so that a row written anew differs."""
    with database.transaction() as connection:
        return {
            table: [
                tuple(map(str, row))
                for row in connection.execute(
                    text(f"SELECT ctid, xmin, * FROM rag_app.{table} WHERE tenant = :tenant ORDER BY ctid"),
                    {"tenant": tenant},
                )
            ]
            for table in ("tenants", "documents", "parents", "data_chunks")
        }


def texts(database: Database, tenant: str) -> dict[str, list[str]]:
    with database.transaction(tenant) as connection:
        return {
            table: sorted(connection.scalars(text(f"SELECT {column} FROM rag_app.{table}")))
            for table, column in (("documents", "title"), ("parents", "text"), ("data_chunks", "text"))
        }


def generation(database: Database, tenant: str) -> int:
    with database.transaction(tenant) as connection:
        return connection.scalar(text("SELECT generation FROM rag_app.tenants")) or 0


def spoilt_by_an_embedding_that_is_no_vector() -> ParsedDocument:
    spoilt = document("new")
    spoilt.children[-1].embedding = [float("nan"), 1.0]
    return spoilt


def spoilt_by_two_children_of_one_id() -> ParsedDocument:
    spoilt = document("new")
    spoilt.children[-1].id_ = spoilt.children[0].node_id
    return spoilt


def spoilt_by_a_child_without_an_embedding() -> ParsedDocument:
    spoilt = document("new")
    spoilt.children[-1].embedding = None
    return spoilt


def spoilt_by_a_text_that_can_not_be_stored() -> ParsedDocument:
    spoilt = document("new")
    spoilt.children[-1].set_content("\0")
    return spoilt


def spoilt_by_two_parents_of_one_id() -> ParsedDocument:
    spoilt = document("new")
    spoilt.parents.append(spoilt.parents[0])
    return spoilt


def spoilt_by_a_row_that_fits_no_page() -> ParsedDocument:
    spoilt = document("new")
    spoilt.children[-1].embedding = [1.0] * 8000
    return spoilt


@pytest.mark.parametrize(
    "spoilt",
    [
        spoilt_by_a_row_that_fits_no_page,
        spoilt_by_an_embedding_that_is_no_vector,
        spoilt_by_two_children_of_one_id,
        spoilt_by_a_child_without_an_embedding,
        spoilt_by_a_text_that_can_not_be_stored,
        spoilt_by_two_parents_of_one_id,
    ],
)
def test_a_write_that_fails_half_way_leaves_the_old_version_complete(
    database: Database, writer: DocumentWriter, tenant: str, spoilt: Callable[[], ParsedDocument]
) -> None:
    writer.write(tenant, document("old"))
    before = stored(database, tenant)
    with pytest.raises(UnstorableError) as caught:
        writer.write(tenant, spoilt())
    assert re.fullmatch(r"(PostgreSQL refuses it|no rows can be made of it): \w+", str(caught.value))
    assert stored(database, tenant) == before
    assert texts(database, tenant)["data_chunks"] == ["old 0", "old 1"]
    writer.write(tenant, document("new"))
    assert texts(database, tenant)["data_chunks"] == ["new 0", "new 1"]


def test_a_first_write_that_fails_leaves_nothing(database: Database, writer: DocumentWriter, tenant: str) -> None:
    with pytest.raises(UnstorableError, match="PostgreSQL refuses it: UniqueViolation"):
        writer.write(tenant, spoilt_by_two_children_of_one_id())
    assert stored(database, tenant) == {"tenants": [], "documents": [], "parents": [], "data_chunks": []}


def test_a_write_whose_connection_breaks_leaves_the_old_version_complete(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    writer.write(tenant, document("old"))
    before = stored(database, tenant)

    def delete_until_cut_off() -> None:
        with database.transaction(tenant) as connection:
            assert connection.execute(text("DELETE FROM rag_app.data_chunks")).rowcount == 2
            mine = connection.scalar(text("SELECT pg_backend_pid()"))
            with database.transaction() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine})
            connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailableError):
        delete_until_cut_off()
    assert stored(database, tenant) == before


def test_a_write_replaces_every_row_of_the_version_before(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    writer.write(tenant, document("old", chunks=5))
    writer.write(tenant, document("new", chunks=2, source="faq"))
    assert texts(database, tenant) == {
        "documents": ["new"],
        "parents": ["new parent"],
        "data_chunks": ["new 0", "new 1"],
    }
    with database.transaction(tenant) as connection:
        row = connection.execute(text("SELECT source, content_hash, metadata FROM rag_app.documents")).one()
        assert tuple(row) == ("faq", "hash new", {"version": "new"})
        assert set(connection.scalars(text("SELECT source FROM rag_app.data_chunks"))) == {"faq"}


def test_hashes_returns_those_that_are_stored_for_the_tenant(writer: DocumentWriter, tenant: str) -> None:
    writer.write(tenant, document("v1", doc_id="a"))
    writer.write(f"{tenant[:-1]}~", document("v1", doc_id="b"))
    assert writer.hashes(tenant, ["a", "b", "c"]) == {"a": "hash v1"}
    assert writer.hashes(tenant, []) == {}


def test_delete_removes_all_of_one_document_and_nothing_else(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    other = f"{tenant[:-1]}~"
    writer.write(other, document("x", doc_id="a"))
    writer.write(tenant, document("x", doc_id="a"))
    writer.write(tenant, document("y", doc_id="b"))
    before = stored(database, other)
    assert writer.delete(tenant, "a")
    assert texts(database, tenant) == {"documents": ["y"], "parents": ["y parent"], "data_chunks": ["y 0", "y 1"]}
    assert stored(database, other) == before


def test_the_generation_moves_with_every_write_and_every_delete_that_deletes(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    assert generation(database, tenant) == 0
    writer.write(tenant, document("v1"))
    assert generation(database, tenant) == 1
    writer.write(tenant, document("v2"))
    assert generation(database, tenant) == 2
    assert not writer.delete(tenant, "unknown")
    assert generation(database, tenant) == 2
    assert writer.delete(tenant, "d")
    assert generation(database, tenant) == 3
    assert not writer.delete(tenant, "d")
    assert generation(database, tenant) == 3


def test_ingesting_unchanged_documents_touches_no_row(app: RagApp, tenant: str) -> None:
    record = {"id": "d", "title": "ارسال", "text": TEXT, "source": "manual", "metadata": {"b": 1, "a": [1, 2]}}
    app.ingest([record], tenant=tenant)
    before = stored(app.database, tenant)
    assert len(before["data_chunks"]) > 5
    report = app.ingest([{**record, "metadata": {"a": [1, 2], "b": 1}}], tenant=tenant)
    assert (report.unchanged, report.chunks) == (1, 0)
    assert stored(app.database, tenant) == before


def test_a_changed_text_leaves_no_parent_or_chunk_of_the_old_one(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": "d", "text": TEXT}, {"id": "kept", "text": "سند دیگر"}], tenant=tenant)
    app.ingest([{"id": "d", "text": "متن کوتاه تازه"}], tenant=tenant)
    assert texts(app.database, tenant) == {
        "documents": ["", ""],
        "parents": sorted(["متن کوتاه تازه", "سند دیگر"]),
        "data_chunks": sorted(["متن کوتاه تازه", "سند دیگر"]),
    }


def test_every_chunk_names_a_stored_parent(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": "d", "text": TEXT}], tenant=tenant)
    with app.database.transaction(tenant) as connection:
        parents = set(connection.scalars(text("SELECT parent_id FROM rag_app.parents")))
        nodes = connection.scalars(text("SELECT metadata_->>'_node_content' FROM rag_app.data_chunks")).all()
    named = {TextNode.from_json(node).relationships[NodeRelationship.PARENT].node_id for node in nodes}  # type: ignore[union-attr]
    assert len(parents) > 1
    assert named == parents


def test_text_is_stored_character_for_character(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": "odd", "title": ODD_TEXT, "text": ODD_TEXT, "metadata": {"as": ODD_TEXT}}], tenant=tenant)
    with app.database.transaction(tenant) as connection:
        for table in ("parents", "data_chunks"):
            assert connection.scalars(text(f"SELECT text FROM rag_app.{table}")).all() == [ODD_TEXT.strip()]
        title, metadata = connection.execute(text("SELECT title, metadata FROM rag_app.documents")).one()
    assert (title, metadata["as"]) == (ODD_TEXT, ODD_TEXT)
    found = app.retrieve("كتاب", tenant=tenant).nodes
    assert [node.node.metadata["title"] for node in found] == [ODD_TEXT]
    assert found[0].node.get_content() == ODD_TEXT.strip()


def test_parents_hold_the_whole_text_at_the_places_they_name(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": "d", "text": TEXT}], tenant=tenant)
    with app.database.transaction(tenant) as connection:
        parents = connection.execute(text("SELECT start_char, text FROM rag_app.parents ORDER BY start_char")).all()
    assert len(parents) > 1
    assert all(TEXT[start : start + len(parent)] == parent for start, parent in parents)
    assert "".join("".join(parent.split()) for _, parent in parents) == "".join(TEXT.split())


def test_many_threads_that_write_one_document_leave_exactly_one_version(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    threads = 8
    for round_ in range(5):
        together = Barrier(threads)

        def write(number: int, round_: int = round_, together: Barrier = together) -> None:
            version = f"r{round_}t{number}"
            together.wait()
            writer.write(tenant, document(version, chunks=number + 1))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(write, range(threads)))
        found = texts(database, tenant)
        (version,) = found["documents"]
        assert version.startswith(f"r{round_}t")
        assert found["parents"] == [f"{version} parent"]
        assert found["data_chunks"] == [f"{version} {number}" for number in range(int(version[-1]) + 1)]
        assert generation(database, tenant) == (round_ + 1) * threads


def test_threads_that_write_and_delete_one_document_leave_it_whole_or_gone(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    together = Barrier(8)

    def work(number: int) -> None:
        together.wait()
        for _ in range(5):
            if number % 2:
                writer.write(tenant, document(f"t{number}", chunks=3))
            else:
                writer.delete(tenant, "d")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    found = texts(database, tenant)
    whole = [
        {"documents": [f"t{n}"], "parents": [f"t{n} parent"], "data_chunks": [f"t{n} {i}" for i in range(3)]}
        for n in (1, 3, 5, 7)
    ]
    assert found in [*whole, {"documents": [], "parents": [], "data_chunks": []}]


def test_the_longest_names_and_the_largest_vectors_fit_a_row(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    longest = "🙂" * 200
    large = document("v", doc_id=longest, chunks=1, source=longest)
    large.children[0].embedding = [1.0] * 3500
    writer.write(longest, large)
    assert texts(database, longest)["data_chunks"] == ["v 0"]
    assert writer.delete(longest, longest)


async def test_tokens_come_in_the_order_of_writing_with_those_of_a_parent_side_by_side(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    for doc_id in ("b", "a"):
        writer.write(tenant, document("v", doc_id=doc_id, chunks=0))
    with database.transaction(tenant) as connection:  # as two processes do that write at the same time
        for node_id in ("b0", "a0", "b1", "a1", "a2"):
            connection.execute(
                text(
                    "INSERT INTO rag_app.data_chunks"
                    " (tenant, doc_id, source, node_id, parent_id, text, metadata_, tokens, embedding)"
                    " VALUES (:tenant, :doc_id, 's', :node_id, :parent_id, 't', '{}', 'tokens', '[1,0]')"
                ),
                {"tenant": tenant, "doc_id": node_id[0], "node_id": node_id, "parent_id": f"p-{node_id[0]}"},
            )
    own = Database(database.url.render_as_string(hide_password=False))
    tokens = await ChunkReader(own).atokens(tenant)
    await own.aclose()
    assert tokens.generation == 2
    assert [tuple(chunk) for chunk in tokens.chunks] == [
        (node_id, f"p-{node_id[0]}", node_id[0], "s", "tokens") for node_id in ("b0", "b1", "a0", "a1", "a2")
    ]


def test_documents_written_together_are_all_there_or_none_is(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    writer.write(tenant, *(document("v", doc_id=f"d{number}") for number in range(3)))
    assert texts(database, tenant)["documents"] == ["v"] * 3
    assert generation(database, tenant) == 1
    before = stored(database, tenant)
    with pytest.raises(UnstorableError):
        writer.write(tenant, document("w", doc_id="d0"), spoilt_by_an_embedding_that_is_no_vector())
    assert stored(database, tenant) == before


def test_deleting_by_source_tenant_or_what_is_left_touches_nothing_else(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    other = f"{tenant[:-1]}!"
    for each in (tenant, other):
        writer.write(
            each, *(document("v", doc_id=f"{source}{number}", source=source) for source in "ab" for number in range(3))
        )
    kept = stored(database, other)

    def doc_ids() -> list[str]:
        with database.transaction(tenant) as connection:
            return list(connection.scalars(text("SELECT doc_id FROM rag_app.documents ORDER BY doc_id")))

    assert writer.delete_others(tenant, "a", ["a1", "b9"], 1) == 2
    assert doc_ids() == ["a1", "b0", "b1", "b2"]
    assert writer.delete_source(tenant, "b") == 3
    assert doc_ids() == ["a1"]
    assert writer.delete_source(tenant, "b") == 0
    assert generation(database, tenant) == 3
    writer.write(tenant, document("v", doc_id="c"))
    assert writer.delete_others(tenant, None, ["c"], 4) == 1
    assert doc_ids() == ["c"]
    assert writer.delete_tenant(tenant) == 1
    assert texts(database, tenant) == {"documents": [], "parents": [], "data_chunks": []}
    assert generation(database, tenant) == 6
    assert stored(database, other) == kept


async def test_changes_since_a_generation_are_what_was_written_and_deleted_after_it(
    database: Database, writer: DocumentWriter, tenant: str
) -> None:
    own = Database(database.url.render_as_string(hide_password=False))
    reader = ChunkReader(own)
    assert await reader.atokens(tenant) == (0, [])
    assert await reader.achanges(tenant, 0) is None
    writer.write(tenant, document("v", doc_id="a"), document("v", doc_id="b"))
    writer.write(tenant, document("v", doc_id="c"))
    changes = await reader.achanges(tenant, 1)
    assert changes is not None
    assert (changes.generation, changes.doc_ids) == (2, {"c"})
    assert [chunk.doc_id for chunk in changes.chunks] == ["c", "c"]
    writer.write(tenant, document("w", doc_id="a"))
    writer.delete(tenant, "b")
    changes = await reader.achanges(tenant, 2)
    assert changes is not None
    assert (changes.generation, changes.doc_ids, len(changes.chunks)) == (4, {"a", "b"}, 2)
    assert await reader.achanges(tenant, 4) == (4, [], frozenset())
    snapshot = await reader.atokens(tenant)
    assert (snapshot.generation, {chunk.doc_id for chunk in snapshot.chunks}) == (4, {"a", "c"})
    writer.delete_source(tenant, "manual")
    assert await reader.achanges(tenant, 4) is None
    assert await reader.atokens(tenant) == (5, [])
    await own.aclose()


async def test_deletions_of_long_ago_are_forgotten_and_that_is_told(
    database: Database, writer: DocumentWriter, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_app.storage.documents.TOLD_GENERATIONS", 3)
    own = Database(database.url.render_as_string(hide_password=False))
    for number in range(4):
        writer.write(tenant, document("v", doc_id=f"d{number}"))
    for number in range(3):
        writer.delete(tenant, f"d{number}")
    reader = ChunkReader(own)
    assert await reader.achanges(tenant, 3) is None
    changes = await reader.achanges(tenant, 4)
    assert changes is not None
    assert changes.doc_ids == {"d0", "d1", "d2"}
    with database.transaction(tenant) as connection:
        assert connection.scalars(text("SELECT doc_id FROM rag_app.deletions")).all() == ["d0", "d1", "d2"]
    writer.delete(tenant, "d3")
    with database.transaction(tenant) as connection:
        assert connection.scalars(text("SELECT doc_id FROM rag_app.deletions")).all() == ["d1", "d2", "d3"]
    await own.aclose()
