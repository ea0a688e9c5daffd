"""What a tenant has: its generation and its documents by source; and what the stored index was built with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, LiteralString, NamedTuple

from sqlalchemy import text

from rag_app.filters import FieldFilter
from rag_app.schema import RetrievalQuery, TenantSnapshot
from rag_app.storage.database import Database
from rag_app.storage.index_settings import INDEX_SETTINGS, require_same_index

_GENERATION: LiteralString = """
    SELECT generation, ef_search, (SELECT value FROM rag_app.index_settings WHERE name = 'embedding') AS embedding
    FROM rag_app.tenants LEFT JOIN rag_app.dense_indexes USING (tenant)
    WHERE tenant = %(tenant)s
"""
_SOURCES: LiteralString = """
    SELECT known.generation, source, count(*) AS documents, sum(chunks)::bigint AS chunks
    FROM rag_app.tenants AS known LEFT JOIN rag_app.documents AS document USING (tenant)
    WHERE tenant = %(tenant)s GROUP BY known.generation, source ORDER BY source
"""
# Keys and values are bound; a value is compared as JSON, and so with its type.
_MATCHING: LiteralString = """
    SELECT doc_id, chunks FROM rag_app.documents
    WHERE tenant = %(tenant)s AND (%(sources)s::text[] IS NULL OR source = ANY(%(sources)s)) AND NOT EXISTS (
        SELECT FROM unnest(%(keys)s::text[], %(values)s::text[]) AS field (key, listed)
        WHERE NOT coalesce((metadata -> key) @> ANY (ARRAY(SELECT jsonb_array_elements(listed::jsonb))), false)
    )
"""
_CLAIM = text("INSERT INTO rag_app.index_settings VALUES (:name, :value) ON CONFLICT DO NOTHING")


class Matching(NamedTuple):
    """The documents that pass a call's filters, and how many chunks they have."""

    doc_ids: frozenset[str]
    chunks: int


class TenantCatalog:
    """Answers at the start of each request what there is to search; counts again only after a write.

    Args:
        database: where the tenants are.
        exact_limit: the most chunks that the dense leg compares one by one where it has an index.
        max_tenants: how many tenants' counts are remembered.
    """

    def __init__(self, database: Database, *, exact_limit: int = 10_000, max_tenants: int = 10_000) -> None:
        self._database = database
        self._exact_limit = exact_limit
        self._max_tenants = max_tenants
        self._snapshots: OrderedDict[str, TenantSnapshot] = OrderedDict()

    async def asnapshot(self, tenant: str) -> TenantSnapshot:
        """Return what `tenant` has stored now.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        known = self._snapshots.get(tenant)
        now: Sequence[Any] = await self._database.afetch(tenant, _GENERATION, {}, plan_once=True)
        generation, ef_search, embedding = now[0] if now else (0, None, None)
        if known is None or known.generation != generation:
            rows = await self._database.afetch(tenant, _SOURCES, {})
            counted = [row for row in rows if row.source is not None]
            known = TenantSnapshot(
                tenant,
                rows[0].generation if rows else 0,
                {row.source: row.documents for row in counted},
                {row.source: row.chunks for row in counted},
            )
        if (known.ef_search, known.embedding) != (ef_search, embedding):
            known = replace(known, ef_search=ef_search, embedding=embedding)
        self._snapshots[tenant] = known
        self._snapshots.move_to_end(tenant)
        if len(self._snapshots) > self._max_tenants:
            self._snapshots.popitem(last=False)
        return known

    async def aresolve(self, query: RetrievalQuery, snapshot: TenantSnapshot | None) -> None:
        """Find out which documents pass the query's filters, and whether few enough chunks are left to compare all.

        Args:
            query: gets the generation, the documents, what is stored and how to search the dense index.
            snapshot: what the tenant has stored; None if that is not known, and all chunks are to be compared.

        Raises:
            DatabaseUnavailableError: the query has filters, and the database does not answer.
        """
        chunks = snapshot.chunks_in(query.sources) if snapshot is not None else 0
        if query.filters:
            query.doc_ids, chunks = await self.amatching(query.tenant, query.filters, query.sources)
        if snapshot is not None:
            query.generation = snapshot.generation
            query.stored_embedding = snapshot.embedding
            query.stored_chunks = snapshot.chunks_in(None)
            query.ef_search = snapshot.ef_search if chunks > self._exact_limit else None

    async def amatching(
        self, tenant: str, filters: Sequence[FieldFilter], sources: Sequence[str] | None = None
    ) -> Matching:
        """Return the documents of `tenant`, of these sources or of all, that pass all filters.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        rows = await self._database.afetch(
            tenant,
            _MATCHING,
            {
                "sources": None if sources is None else list(sources),
                "keys": [each.key for each in filters],
                "values": [f"[{','.join(each.as_json)}]" for each in filters],
            },
        )
        return Matching(frozenset(row.doc_id for row in rows), sum(row.chunks for row in rows))

    def verify_index(self, expected: Mapping[str, str], *, claim: bool = False) -> None:
        """Check that the stored index was built with these settings; `claim` records them if none are.

        Raises:
            IndexMismatchError: it was built with others, and mixing the two would lose what is stored.
        """
        with self._database.transaction() as connection:
            if claim:
                connection.execute(_CLAIM, [{"name": name, "value": value} for name, value in expected.items()])
            require_same_index(expected, {row.name: row.value for row in connection.execute(INDEX_SETTINGS)})

    def index_settings(self) -> dict[str, str]:
        """Return what the stored index was built with; nothing before anything was stored."""
        with self._database.transaction() as connection:
            return {row.name: row.value for row in connection.execute(INDEX_SETTINGS)}
