"""Writing documents: all rows of one in one transaction, or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, LiteralString

import psycopg
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from rag_app.errors import UnstorableError
from rag_app.schema import ParsedDocument
from rag_app.storage.database import Database
from rag_app.storage.halfvec import as_halfvec
from rag_app.storage.index_settings import INDEX_SETTINGS, require_same_index
from rag_app.storage.staging import Row, as_jsonb, insert_many

TOLD_GENERATIONS = 1000  # so many generations of deletions are remembered; who knows an older state reads all anew

_HASHES = text("SELECT doc_id, content_hash FROM rag_app.documents WHERE tenant = :tenant AND doc_id = ANY(:doc_ids)")
# The first statement of every write: those of one tenant take turns, so that none waits for another in a circle, and
# whoever sees a generation sees all that was written up to it.
_NEXT_GENERATION = text("""
    INSERT INTO rag_app.tenants AS known (tenant, generation) VALUES (:tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET generation = known.generation + 1
    RETURNING generation
""")
_GENERATION = text("SELECT generation FROM rag_app.tenants WHERE tenant = :tenant")
_TURN = text("SELECT generation FROM rag_app.tenants WHERE tenant = :tenant FOR UPDATE")
_DOCUMENT_COLUMNS = {
    "doc_id": "text",
    "source": "text",
    "title": "text",
    "content_hash": "text",
    "metadata": "jsonb",
    "chunks": "int4",
}
_PARENT_COLUMNS = {"doc_id": "text", "parent_id": "text", "text": "text", "start_char": "int4"}
CHUNK_COLUMNS = {
    "doc_id": "text",
    "source": "text",
    "node_id": "text",
    "parent_id": "text",
    "text": "text",
    "metadata_": "jsonb",
    "tokens": "text",
    "embedding": "halfvec",
}
_REPLACE: LiteralString = """
    ON CONFLICT (tenant, doc_id) DO UPDATE SET source = excluded.source, title = excluded.title,
        content_hash = excluded.content_hash, metadata = excluded.metadata, chunks = excluded.chunks,
        generation = excluded.generation, updated_at = now()
"""
_CLEAR_CHUNKS = text("DELETE FROM rag_app.data_chunks WHERE tenant = :tenant AND doc_id = ANY(:doc_ids)")
_CLEAR_PARENTS = text("DELETE FROM rag_app.parents WHERE tenant = :tenant AND doc_id = ANY(:doc_ids)")
_DELETE = text("DELETE FROM rag_app.documents WHERE tenant = :tenant AND doc_id = ANY(:doc_ids) RETURNING doc_id")
_DELETE_SOURCE = text("DELETE FROM rag_app.documents WHERE tenant = :tenant AND source = :source")
_DELETE_TENANT = text("DELETE FROM rag_app.documents WHERE tenant = :tenant")
_OTHERS = text("""
    SELECT doc_id FROM rag_app.documents WHERE tenant = :tenant AND doc_id <> ALL(:kept)
        AND (CAST(:source AS text) IS NULL OR source = :source)
        AND (CAST(:generation AS bigint) IS NULL OR generation <= :generation)
""")
_REMEMBER = text("""
    INSERT INTO rag_app.deletions (tenant, generation, doc_id)
    SELECT :tenant, :generation, * FROM unnest(CAST(:doc_ids AS text[]))
""")
_FORGET = text("DELETE FROM rag_app.deletions WHERE tenant = :tenant AND generation <= :settled")
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
_SETTLE = text("UPDATE rag_app.tenants SET settled = :settled WHERE tenant = :tenant AND settled < :settled")


class DocumentWriter:
    """Writes and deletes documents; every method may raise `DatabaseUnavailableError`.

    Args:
        database: where they are.
        built_with: what the vectors and tokens of what it writes are made with, as the index's settings name it.
    """

    def __init__(self, database: Database, built_with: Mapping[str, str] | None = None) -> None:
        self._database = database
        self._built_with = dict(built_with or {})

    def hashes(self, tenant: str, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the content hash of each of these documents that is stored."""
        with self._database.transaction(tenant) as connection:
            rows = connection.execute(_HASHES, {"tenant": tenant, "doc_ids": list(doc_ids)})
            return {doc_id: content_hash for doc_id, content_hash in rows}

    def generation(self, tenant: str) -> int:
        """Return the tenant's generation, which moves with each write; 0 if nothing was ever stored."""
        with self._database.transaction(tenant) as connection:
            return connection.scalar(_GENERATION, {"tenant": tenant}) or 0

    def write(self, tenant: str, *documents: ParsedDocument) -> None:
        """Store documents of different ids in place of what was stored under these, all or none.

        Raises:
            IndexMismatchError: the index is built with something else by now.
            UnstorableError: one of them can not be stored as it is.
        """
        with _refusals(), self._database.transaction(tenant) as connection:
            own = {"tenant": tenant}
            generation = connection.scalar(_NEXT_GENERATION, own)
            require_same_index(self._built_with, {row.name: row.value for row in connection.execute(INDEX_SETTINGS)})
            insert_many(
                connection,
                "documents",
                _DOCUMENT_COLUMNS,
                map(_document_row, documents),
                {**own, "generation": generation},
                _REPLACE,
            )
            written = {**own, "doc_ids": [document.doc_id for document in documents]}
            connection.execute(_CLEAR_CHUNKS, written)
            connection.execute(_CLEAR_PARENTS, written)
            insert_many(connection, "parents", _PARENT_COLUMNS, chain.from_iterable(map(_parent_rows, documents)), own)
            insert_many(connection, "data_chunks", CHUNK_COLUMNS, chain.from_iterable(map(_chunk_rows, documents)), own)

    def delete(self, tenant: str, doc_id: str) -> bool:
        """Delete the document with its parents and chunks; False if there was none."""
        with self._database.transaction(tenant) as connection:
            return _takes_turn(connection, tenant) and self._deleted(connection, tenant, [doc_id]) > 0

    def delete_source(self, tenant: str, source: str) -> int:
        """Delete all documents of a source and return how many there were."""
        return self._delete_all(tenant, _DELETE_SOURCE, {"source": source})

    def delete_tenant(self, tenant: str) -> int:
        """Delete all documents of the tenant and return how many there were; its generation alone stays."""
        return self._delete_all(tenant, _DELETE_TENANT, {})

    def delete_others(self, tenant: str, source: str | None, kept: Iterable[str], generation: int | None = None) -> int:
        """Delete the documents of a source, or of all if None, but for those in `kept`; return how many there were.

        Documents that were written after `generation`, if it is given, stay too: whoever names those to keep may not
        know of them.
        """
        asked = {"tenant": tenant, "source": source, "kept": list(kept), "generation": generation}
        with self._database.transaction(tenant) as connection:
            if not _takes_turn(connection, tenant):
                return 0
            return self._deleted(connection, tenant, connection.scalars(_OTHERS, asked).all())

    @staticmethod
    def _deleted(connection: Connection, tenant: str, doc_ids: Sequence[str]) -> int:
        """Delete documents, note that they are gone, and return how many there were."""
        deleted = connection.scalars(_DELETE, {"tenant": tenant, "doc_ids": list(doc_ids)}).all()
        if deleted:
            generation = connection.scalar(_NEXT_GENERATION, {"tenant": tenant}) or 0
            connection.execute(_REMEMBER, {"tenant": tenant, "generation": generation, "doc_ids": deleted})
            _settle(connection, tenant, generation - TOLD_GENERATIONS)
        return len(deleted)

    def _delete_all(self, tenant: str, statement: TextClause, parameters: dict[str, Any]) -> int:
        """Delete many documents without a note for each: whoever knows an older state reads all anew."""
        with self._database.transaction(tenant) as connection:
            if not _takes_turn(connection, tenant):
                return 0
            deleted = connection.execute(statement, {"tenant": tenant, **parameters}).rowcount
            if deleted:
                generation = connection.scalar(_NEXT_GENERATION, {"tenant": tenant}) or 0
                _settle(connection, tenant, generation)
            return deleted


def _takes_turn(connection: Connection, tenant: str) -> bool:
    """Wait until no other write of the tenant runs; False if nothing was ever stored, and so nothing keeps others out.

    Whoever went on without a turn could hold rows that a first write, which does have one, waits for.
    """
    return connection.scalar(_TURN, {"tenant": tenant}) is not None


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell a document that can not be stored from a database that does not serve, by no word of the document's."""
    try:
        yield
    except _REFUSALS as error:
        raise UnstorableError(f"PostgreSQL refuses it: {type(error).__name__}") from error
    except DBAPIError as error:
        if not isinstance(error.orig, _REFUSALS):
            raise
        raise UnstorableError(f"PostgreSQL refuses it: {type(error.orig).__name__}") from error
    except (ValueError, TypeError) as error:  # a node without an embedding, or a value that has no place in a row
        raise UnstorableError(f"no rows can be made of it: {type(error).__name__}") from error


def _settle(connection: Connection, tenant: str, generation: int) -> None:
    """Forget the deletions up to a generation."""
    if generation > 0:
        connection.execute(_FORGET, {"tenant": tenant, "settled": generation})
        connection.execute(_SETTLE, {"tenant": tenant, "settled": generation})


def _document_row(document: ParsedDocument) -> Row:
    return (
        document.doc_id,
        document.source,
        document.title,
        document.content_hash,
        as_jsonb(document.metadata),
        len(document.children),
    )


def _parent_rows(document: ParsedDocument) -> Iterator[Row]:
    for parent in document.parents:
        yield document.doc_id, parent.node_id, parent.text, parent.start_char_idx


def _chunk_rows(document: ParsedDocument) -> Iterator[Row]:
    for child, tokens in zip(document.children, document.tokens, strict=True):
        bare = child.model_copy(update={"embedding": None})  # a thousand numbers less to go over
        yield (
            document.doc_id,
            document.source,
            child.node_id,
            child.parent_node.node_id if child.parent_node else child.node_id,
            child.text,
            as_jsonb(node_to_metadata_dict(bare, remove_text=True)),
            " ".join(tokens),
            as_halfvec(child.get_embedding()),
        )
