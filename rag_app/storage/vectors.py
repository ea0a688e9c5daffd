"""Reading vectors for indexes that follow PostgreSQL: all of a tenant, or what changed since a generation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag_app.storage.database import Database
from rag_app.storage.halfvec import from_halfvecs

# Chunks and generation in one statement, which sees one state.
_ALL: LiteralString = """
    SELECT known.generation, node_id, doc_id, source, halfvec_send(embedding) AS vector
    FROM rag_app.tenants AS known LEFT JOIN rag_app.data_chunks AS chunk USING (tenant)
    WHERE tenant = %(tenant)s ORDER BY id
"""
_CHANGES: LiteralString = """
    WITH known AS (SELECT generation, settled FROM rag_app.tenants WHERE tenant = %(tenant)s),
    changed AS (
        SELECT doc_id FROM rag_app.documents WHERE tenant = %(tenant)s AND generation > %(since)s
        UNION SELECT doc_id FROM rag_app.deletions WHERE tenant = %(tenant)s AND generation > %(since)s
    )
    SELECT known.generation, known.settled, node_id, changed.doc_id, source, halfvec_send(embedding) AS vector
    FROM known LEFT JOIN changed ON known.settled <= %(since)s LEFT JOIN rag_app.data_chunks AS chunk
        ON chunk.tenant = %(tenant)s AND chunk.doc_id = changed.doc_id
    ORDER BY id
"""
_STAND: LiteralString = "SELECT generation, settled FROM rag_app.tenants WHERE tenant = %(tenant)s"
_WRITTEN: LiteralString = """
    SELECT doc_id, chunks FROM rag_app.documents WHERE tenant = %(tenant)s AND generation > %(since)s
    ORDER BY generation, doc_id
"""
_DELETED: LiteralString = """
    SELECT doc_id FROM rag_app.deletions WHERE tenant = %(tenant)s AND generation > %(since)s
"""
_NODE_IDS: LiteralString = "SELECT node_id FROM rag_app.data_chunks WHERE tenant = %(tenant)s"
_OF_DOCUMENTS: LiteralString = """
    SELECT node_id, doc_id, source, halfvec_send(embedding) AS vector FROM rag_app.data_chunks
    WHERE tenant = %(tenant)s AND doc_id = ANY(%(doc_ids)s) ORDER BY id
"""
NOTHING = -1  # the generation of an index that holds nothing


class ChunkVectors(NamedTuple):
    """Chunks with their vectors.

    Attributes:
        matrix: float32, a row for each chunk, as long as it was stored; no columns if there is no chunk.
    """

    node_ids: Sequence[str]
    doc_ids: Sequence[str]
    sources: Sequence[str]
    matrix: NDArray[np.float32]


class VectorSnapshot(NamedTuple):
    """All chunks of a tenant at one generation, in the order of writing."""

    generation: int
    chunks: ChunkVectors


class VectorChanges(NamedTuple):
    """What was written and deleted after an older generation.

    Attributes:
        generation: the tenant's generation now.
        chunks: the chunks of the documents written since.
        doc_ids: the documents written or deleted since; what was known of them is void.
    """

    generation: int
    chunks: ChunkVectors
    doc_ids: frozenset[str]


class Pending(NamedTuple):
    """What an index that is kept elsewhere lacks.

    Attributes:
        generation: the tenant's generation, which the index will be of.
        written: the documents written since, in the order of writing, and how many chunks each has.
        deleted: the documents deleted since that are not written anew; None if that can not be told, and what the index
            holds is to be compared with what is stored.
    """

    generation: int
    written: Sequence[tuple[str, int]]
    deleted: Sequence[str] | None


class VectorReader:
    """Reads vectors of one tenant at a time, in a thread; every method may raise `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def snapshot(self, tenant: str) -> VectorSnapshot:
        """Return the vectors of all chunks of the tenant."""
        rows = self._database.fetch(tenant, _ALL, {})
        return VectorSnapshot(rows[0].generation if rows else 0, _chunks(rows))

    def changes(self, tenant: str, since: int) -> VectorChanges | None:
        """Return what changed after generation `since`; None if that can not be told, and all is to be read."""
        rows = self._database.fetch(tenant, _CHANGES, {"since": since})
        if not rows or not rows[0].settled <= since <= rows[0].generation:
            return None
        return VectorChanges(
            rows[0].generation, _chunks(rows), frozenset(row.doc_id for row in rows if row.doc_id is not None)
        )

    def generation(self, tenant: str) -> int:
        """Return the tenant's generation; 0 if nothing was ever stored."""
        stand = self._database.fetch(tenant, _STAND, {})
        return int(stand[0].generation) if stand else 0

    def pending(self, tenant: str, since: int) -> Pending:
        """Return what an index of generation `since` lacks; all, if that is one that the tenant never had."""
        with self._database.snapshot(tenant) as fetch:
            stand = fetch(tenant, _STAND, {})
            generation, settled = stand[0] if stand else (0, 0)
            known = since if since <= generation else NOTHING
            written = fetch(tenant, _WRITTEN, {"since": known})
            deleted = fetch(tenant, _DELETED, {"since": known}) if settled <= known else None
        again = {row.doc_id for row in written}
        return Pending(
            generation,
            [(row.doc_id, row.chunks) for row in written],
            None if deleted is None else sorted({row.doc_id for row in deleted} - again),
        )

    def of_documents(self, tenant: str, doc_ids: Sequence[str]) -> ChunkVectors:
        """Return the vectors of the documents' chunks as they are now; of one deleted meanwhile there are none."""
        return _chunks(self._database.fetch(tenant, _OF_DOCUMENTS, {"doc_ids": list(doc_ids)}))

    def node_ids(self, tenant: str) -> list[str]:
        """Return the ids of all chunks of the tenant."""
        return [row.node_id for row in self._database.fetch(tenant, _NODE_IDS, {})]


def _chunks(rows: Sequence[Any]) -> ChunkVectors:
    stored = [row for row in rows if row.node_id is not None]
    return ChunkVectors(
        [row.node_id for row in stored],
        [row.doc_id for row in stored],
        [row.source for row in stored],
        from_halfvecs([row.vector for row in stored]),
    )
