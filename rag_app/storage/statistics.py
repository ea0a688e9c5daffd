"""How much a tenant has stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from rag_app.storage.database import Database
from rag_app.storage.dense_index import DenseIndexes, DenseIndexStatus

_TENANT: LiteralString = """
    SELECT generation, (SELECT max(updated_at) FROM rag_app.documents WHERE tenant = %(tenant)s) AS last_write
    FROM rag_app.tenants WHERE tenant = %(tenant)s
"""
_SOURCES: LiteralString = """
    SELECT source, count(*) AS documents, sum(chunks)::bigint AS chunks
    FROM rag_app.documents WHERE tenant = %(tenant)s GROUP BY source ORDER BY source
"""
_BYTES: LiteralString = """
    SELECT coalesce(sum(pg_column_size(embedding)), 0)::bigint AS embeddings,
        coalesce(sum(pg_column_size(text) + pg_column_size(metadata_)), 0)::bigint AS chunks,
        coalesce(sum(pg_column_size(tokens)), 0)::bigint AS tokens,
        (SELECT coalesce(sum(pg_column_size(text)), 0)::bigint FROM rag_app.parents WHERE tenant = %(tenant)s)
            AS parents
    FROM rag_app.data_chunks WHERE tenant = %(tenant)s
"""


@dataclass(frozen=True)
class SourceStatistics:
    """How many documents and chunks a source has."""

    documents: int
    chunks: int


@dataclass(frozen=True)
class TenantStatistics:
    """What a tenant has stored.

    Attributes:
        generation: moves with each write; 0 if nothing was ever stored.
        last_write: when the last of the documents that are there was written.
        sources: documents and chunks by source.
        bytes: what is stored by kind, as it lies on disk: embeddings, chunks with their metadata, tokens, parents.
        dense_index: how the dense leg searches it.
        bm25_generation: the generation of the BM25 index that this process holds; None if it holds none. An older one
            than `generation` takes in what changed before it answers the next question.
    """

    tenant: str
    generation: int
    last_write: datetime | None
    sources: dict[str, SourceStatistics]
    bytes: dict[str, int]
    dense_index: DenseIndexStatus
    bm25_generation: int | None

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return sum(source.documents for source in self.sources.values())

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return sum(source.chunks for source in self.sources.values())


def tenant_statistics(
    database: Database, dense_indexes: DenseIndexes, tenant: str, *, bm25_generation: int | None
) -> TenantStatistics:
    """Count what `tenant` has stored; this reads all its rows.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    known = database.fetch(tenant, _TENANT, {})
    return TenantStatistics(
        tenant=tenant,
        generation=known[0].generation if known else 0,
        last_write=known[0].last_write if known else None,
        sources={
            row.source: SourceStatistics(row.documents, row.chunks) for row in database.fetch(tenant, _SOURCES, {})
        },
        bytes=database.fetch(tenant, _BYTES, {})[0]._asdict(),
        dense_index=dense_indexes.status(tenant),
        bm25_generation=bm25_generation,
    )
