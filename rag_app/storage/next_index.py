"""A second table of chunks, filled beside the one in use, and put in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import LiteralString, NamedTuple

from llama_index.core.schema import MetadataMode, TextNode
from sqlalchemy import Connection, text

from rag_app.errors import StorageError
from rag_app.storage.database import Database
from rag_app.storage.documents import CHUNK_COLUMNS
from rag_app.storage.halfvec import as_halfvec
from rag_app.storage.staging import as_jsonb, insert_many

_LOCK = 7_246_001_835_553_201_413  # two that fill it at once would undo each other's work
_DOCUMENTS_AT_ONCE = 200
_NEXT = "next."  # what the settings of the next index are named by until it is in place
_TARGET = text("SELECT substr(name, 6) AS name, value FROM rag_app.index_settings WHERE name LIKE 'next.%'")
_AIM = text("INSERT INTO rag_app.index_settings VALUES (:name, :value)")
_FORGET = text("DELETE FROM rag_app.index_settings WHERE name LIKE 'next.%'")
_DROP = "DROP TABLE IF EXISTS rag_app.next_chunks, rag_app.next_tenants"
# In databases of the first version vectors lie outside the row, where an exact scan is slow.
_CREATE = """
    CREATE TABLE rag_app.next_chunks (LIKE rag_app.data_chunks INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING STORAGE);
    ALTER TABLE rag_app.next_chunks ALTER COLUMN embedding SET STORAGE PLAIN;
    CREATE TABLE rag_app.next_tenants (tenant text PRIMARY KEY, generation bigint NOT NULL);
    ALTER TABLE rag_app.next_chunks ENABLE ROW LEVEL SECURITY;
    ALTER TABLE rag_app.next_chunks FORCE ROW LEVEL SECURITY;
"""
# Who may see and do what; also what full text search adds where it is configured.
_POLICIES = text("""
    SELECT format('CREATE POLICY %I ON rag_app.next_chunks AS %s FOR %s TO %s', policyname, permissive, cmd,
                  array_to_string(ARRAY(SELECT CASE role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(role) END
                                        FROM unnest(roles) AS role), ', '))
        || coalesce(' USING (' || qual || ')', '') || coalesce(' WITH CHECK (' || with_check || ')', '')
    FROM pg_policies WHERE schemaname = 'rag_app' AND tablename = 'data_chunks'
    UNION ALL
    SELECT format('GRANT %s ON rag_app.next_chunks TO %I', string_agg(privilege_type, ', '), grantee)
    FROM information_schema.role_table_grants
    WHERE table_schema = 'rag_app' AND table_name = 'data_chunks' AND grantee <> grantor GROUP BY grantee
""")
_CONSTRAINTS = text("""
    SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE conrelid = 'rag_app.data_chunks'::regclass AND contype IN ('p', 'u', 'f')
""")
# Not the tenants' own, which are partial and made for vectors of the old length.
_INDEXES = text("""
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid = 'rag_app.data_chunks'::regclass AND indpred IS NULL
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
""")
_BEHIND = text("""
    SELECT known.tenant, coalesce(copied.generation, 0) AS copied, known.generation
    FROM rag_app.tenants AS known LEFT JOIN rag_app.next_tenants AS copied USING (tenant)
    WHERE known.generation > coalesce(copied.generation, 0) ORDER BY known.tenant
""")
_COPIED = text("""
    INSERT INTO rag_app.next_tenants VALUES (:tenant, :generation)
    ON CONFLICT (tenant) DO UPDATE SET generation = excluded.generation
""")
_WRITTEN: LiteralString = """
    SELECT doc_id, generation FROM rag_app.documents WHERE tenant = %(tenant)s AND generation > %(since)s
    ORDER BY generation, doc_id
"""
_CHUNKS: LiteralString = """
    SELECT doc_id, source, node_id, parent_id, text, metadata_ AS metadata FROM rag_app.data_chunks
    WHERE tenant = %(tenant)s AND doc_id = ANY(%(doc_ids)s) ORDER BY id
"""
# A document that is written or deleted meanwhile waits until its chunks are in the next table too, or are left out.
_STILL = text("""
    SELECT doc_id, generation FROM rag_app.documents WHERE tenant = :tenant AND doc_id = ANY(:doc_ids) FOR KEY SHARE
""")
_CLEAR = text("DELETE FROM rag_app.next_chunks WHERE tenant = :tenant AND doc_id = ANY(:doc_ids)")
# Every write begins with its tenant's row, so that none runs while this lock is held; reading goes on.
_STOP_WRITES = text("LOCK TABLE rag_app.tenants IN EXCLUSIVE MODE")
# Whoever knows a tenant as it was reads all of it anew. Row-level security binds the owner too, who is to see all rows.
_SWAP = """
    ALTER TABLE rag_app.tenants NO FORCE ROW LEVEL SECURITY;
    UPDATE rag_app.tenants SET generation = generation + 1, settled = generation + 1;
    ALTER TABLE rag_app.tenants FORCE ROW LEVEL SECURITY;
    ALTER TABLE rag_app.dense_indexes NO FORCE ROW LEVEL SECURITY;
    DELETE FROM rag_app.dense_indexes;
    ALTER TABLE rag_app.dense_indexes FORCE ROW LEVEL SECURITY;
    DROP TABLE rag_app.data_chunks, rag_app.next_tenants;
    ALTER TABLE rag_app.next_chunks RENAME TO data_chunks;
    DELETE FROM rag_app.index_settings WHERE left(name, 5) <> 'next.';
    UPDATE rag_app.index_settings SET name = substr(name, 6);
"""

# PostgreSQL named it by the table that it was made for, with a number where that name was taken.
_SEQUENCE = text("SELECT pg_get_serial_sequence('rag_app.data_chunks', 'id')")

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
Tokenize = Callable[[str], Sequence[str]]


class Behind(NamedTuple):
    """A tenant that was written after it was copied, up to generation `copied`."""

    tenant: str
    copied: int
    generation: int


class NextIndex:
    """The chunks of all tenants with other vectors and tokens, beside those in use until they take their place.

    Args:
        database: whose user owns the tables.
        embed: makes the vectors of texts.
        tokenize: makes the search tokens of one.
    """

    def __init__(self, database: Database, embed: Embed, tokenize: Tokenize) -> None:
        self._database = database
        self._embed = embed
        self._tokenize = tokenize

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process fill the next table while the block runs.

        Raises:
            StorageError: another one does.
        """
        with self._database.maintenance() as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
                raise StorageError("another rag-app reindex is running on this database: wait for it")
            yield

    def begin(self, settings: Mapping[str, str]) -> bool:
        """Make the next table for an index with these settings; tell whether one that was begun before goes on."""
        with self._database.transaction() as connection:
            if {row.name: row.value for row in connection.execute(_TARGET)} == settings:
                return True
            connection.execute(text(_DROP))
            connection.execute(_FORGET)
            connection.exec_driver_sql(_CREATE)
            _add_constraints_and_indexes(connection)
            for statement in connection.scalars(_POLICIES).all():
                connection.execute(text(statement))
            connection.execute(_AIM, [{"name": f"{_NEXT}{name}", "value": value} for name, value in settings.items()])
        return False

    def behind(self) -> list[Behind]:
        """Return the tenants that the next table does not hold as they are now."""
        with self._database.transaction() as connection:
            return [Behind(*row) for row in connection.execute(_BEHIND)]

    def copy(self, behind: Behind) -> int:
        """Bring what a tenant wrote since into the next table, and return how many chunks that were."""
        tenant = behind.tenant
        written = self._database.fetch(tenant, _WRITTEN, {"since": behind.copied})
        copied = 0
        for start in range(0, len(written), _DOCUMENTS_AT_ONCE):
            copied += self._copy_documents(
                tenant, {row.doc_id: row.generation for row in written[start : start + _DOCUMENTS_AT_ONCE]}
            )
        with self._database.transaction() as connection:
            connection.execute(_COPIED, {"tenant": tenant, "generation": behind.generation})
        return copied

    def swap(self) -> None:
        """Put the next table, with all that is written by then, in the place of the present one; writes wait for it."""
        with self._database.transaction() as connection:
            connection.execute(_STOP_WRITES)
            for behind in self.behind():
                self.copy(behind)
            connection.exec_driver_sql(_SWAP)
            _rename_what_is_the_tables(connection)

    def _copy_documents(self, tenant: str, generations: Mapping[str, int]) -> int:
        asked = {"doc_ids": list(generations)}
        chunks = self._database.fetch(tenant, _CHUNKS, asked)
        texts = [_searched(chunk.metadata, chunk.text) for chunk in chunks]
        vectors = self._embed(texts) if texts else ()
        rows = [
            (*chunk[:5], as_jsonb(chunk.metadata), " ".join(self._tokenize(searched)), as_halfvec(vector))
            for chunk, searched, vector in zip(chunks, texts, vectors, strict=True)
        ]
        with self._database.transaction(tenant) as connection:
            now = {row.doc_id: row.generation for row in connection.execute(_STILL, {"tenant": tenant, **asked})}
            same = {doc_id for doc_id, generation in generations.items() if now.get(doc_id) == generation}
            kept = [row for row in rows if row[0] in same]  # the others are written anew, and come with the next round
            connection.execute(_CLEAR, {"tenant": tenant, "doc_ids": list(same)})
            insert_many(connection, "next_chunks", CHUNK_COLUMNS, kept, {"tenant": tenant})
        return len(kept)


def _searched(metadata: Mapping[str, str], chunk_text: str) -> str:
    """Return what was embedded of a chunk."""
    node = TextNode.from_json(metadata["_node_content"])
    node.set_content(chunk_text)
    return node.get_content(MetadataMode.EMBED)


def _add_constraints_and_indexes(connection: Connection) -> None:
    for name, definition in connection.execute(_CONSTRAINTS).all():
        connection.exec_driver_sql(f"ALTER TABLE rag_app.next_chunks ADD CONSTRAINT next_{name} {definition}")
    for _, definition in connection.execute(_INDEXES).all():
        connection.exec_driver_sql(re.sub(r"INDEX (\w+) ON \S+", r"INDEX next_\1 ON rag_app.next_chunks", definition))


def _rename_what_is_the_tables(connection: Connection) -> None:
    """Give constraints, indexes and the sequence of the ids the names that the migrations gave them."""
    for name, _ in connection.execute(_CONSTRAINTS).all():
        connection.exec_driver_sql(
            f"ALTER TABLE rag_app.data_chunks RENAME CONSTRAINT {name} TO {name.removeprefix('next_')}"
        )
    for name, _ in connection.execute(_INDEXES).all():
        own = name.removeprefix("rag_app.")
        connection.exec_driver_sql(f"ALTER INDEX rag_app.{own} RENAME TO {own.removeprefix('next_')}")
    connection.exec_driver_sql(f"ALTER SEQUENCE {connection.scalar(_SEQUENCE)} RENAME TO data_chunks_id_seq")
