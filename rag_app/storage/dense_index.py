"""The dense index of a large tenant: a partial HNSW index of its own, used only once it has proved its recall.

HNSW: Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
Small World graphs". How many nodes a search must keep (`ef_search`) depends on the vectors, so it is measured on the
index itself, and an index that can not be made to agree with an exact scan is not used.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from rag_app.errors import StorageError
from rag_app.logs import get_logger
from rag_app.storage.database import BUILDING, Database
from rag_app.storage.vector_store import TenantPGVectorStore

logger = get_logger(__name__)

RECALL = 0.99
_AIM = 0.995  # with the questions that are measured, so that others find RECALL
EF_SEARCH = (100, 200, 400, 600, 800, 1000)  # what is tried; pgvector allows no more
_PROBES = 100  # questions
_PROBE_WORDS = 6
_PROBE_TOP_K = 20
_M, _EF_CONSTRUCTION = 16, 128
_GROWTH = 1.5  # an index that has grown so much is measured again
_SHRUNK = 0.5  # of the exact limit; a tenant at the limit does not gain and lose its index by turns

_TENANTS = text("SELECT tenant FROM rag_app.tenants ORDER BY tenant")
_CHUNKS: LiteralString = """
    SELECT coalesce(sum(chunks), 0)::bigint AS chunks FROM rag_app.documents WHERE tenant = %(tenant)s
"""
_KNOWN: LiteralString = "SELECT chunks, ef_search, recall FROM rag_app.dense_indexes WHERE tenant = %(tenant)s"
_SAMPLE: LiteralString = """
    SELECT text FROM rag_app.data_chunks WHERE tenant = %(tenant)s
    ORDER BY md5(node_id) LIMIT %(limit)s
"""
_STATE = text("""
    SELECT indisvalid AS valid, pg_relation_size(indexrelid) AS bytes
    FROM pg_index WHERE indexrelid = to_regclass(:index)
""")
_RECORD = text("""
    INSERT INTO rag_app.dense_indexes (tenant, chunks, ef_search, recall) VALUES (:tenant, :chunks, :ef_search, :recall)
    ON CONFLICT (tenant) DO UPDATE SET chunks = excluded.chunks, ef_search = excluded.ef_search,
        recall = excluded.recall, measured_at = now()
""")
_UNRECORD = text("DELETE FROM rag_app.dense_indexes WHERE tenant = :tenant")

Embed = Callable[[str], Sequence[float]]
Kind = Literal["exact", "hnsw"]


@dataclass(frozen=True)
class DenseIndexStatus:
    """How the dense leg searches a tenant.

    Attributes:
        kind: "exact", which compares all chunks, or "hnsw".
        reason: why.
        chunks: how many the tenant has.
        bytes: the size of the HNSW index on disk.
        ef_search: how many nodes a search keeps, where the index is used.
        recall: the share of the exact scan's first 20 that the index found when it was measured.
        measured_chunks: how many chunks there were then.
    """

    tenant: str
    kind: Kind
    reason: str
    chunks: int
    bytes: int = 0
    ef_search: int | None = None
    recall: float | None = None
    measured_chunks: int | None = None


class DenseIndexes:
    """Builds, measures and drops the tenants' HNSW indexes.

    Args:
        database: where the chunks are; building needs the owner of the tables.
        vector_store: searches them.
        embed_query: embeds the questions that indexes are measured with.
        exact_limit: the most chunks that are searched without an index.
        memory_mb: what a build may use; a graph that does not fit takes many times as long.
    """

    def __init__(
        self,
        database: Database,
        vector_store: TenantPGVectorStore,
        embed_query: Embed,
        *,
        exact_limit: int = 10_000,
        memory_mb: int = 512,
    ) -> None:
        self._database = database
        self._vector_store = vector_store
        self._embed_query = embed_query
        self._exact_limit = exact_limit
        self._memory_mb = memory_mb

    def tenants(self) -> list[str]:
        """Return all tenants; only the owner of the tables sees any."""
        with self._database.transaction() as connection:
            return list(connection.scalars(_TENANTS))

    def status(self, tenant: str) -> DenseIndexStatus:
        """Return how the dense leg searches `tenant` now."""
        chunks = self._chunks(tenant)
        state = self._state(tenant)
        known = self._database.fetch(tenant, _KNOWN, {})
        size = state[1] if state else 0
        if chunks <= self._exact_limit:
            return DenseIndexStatus(tenant, "exact", f"at most {self._exact_limit} chunks", chunks, size)
        if state is None or not known:
            return DenseIndexStatus(tenant, "exact", "its index is not built yet: rag-app db reindex", chunks, size)
        if not state[0]:
            return DenseIndexStatus(tenant, "exact", "its index is being built, or that failed", chunks, size)
        (row,) = known
        if row.ef_search is None:
            reason = f"its index found {row.recall:.3f} of the hits, below {RECALL}"
            return DenseIndexStatus(tenant, "exact", reason, chunks, size, None, row.recall, row.chunks)
        reason = f"more than {self._exact_limit} chunks"
        return DenseIndexStatus(tenant, "hnsw", reason, chunks, size, row.ef_search, row.recall, row.chunks)

    def refresh(self, tenant: str) -> DenseIndexStatus:
        """Give `tenant` the index that its size asks for, beside readers and writers, and return what it has now.

        Builds take turns, those of other processes included.

        Raises:
            DatabaseUnavailableError: the database does not answer.
            StorageError: the user does not own the tables.
        """
        if self._is_due(tenant):
            with self._database.turn(BUILDING) as connection:
                if self._is_due(tenant):
                    self._refresh(connection, tenant)
        return self.status(tenant)

    def _is_due(self, tenant: str) -> bool:
        chunks, state = self._chunks(tenant), self._state(tenant)
        if chunks <= self._exact_limit * _SHRUNK:
            return state is not None
        if chunks <= self._exact_limit:
            return state is not None and not state[0]
        known = self._database.fetch(tenant, _KNOWN, {})
        return state is None or not state[0] or not known or chunks > _GROWTH * known[0].chunks

    def _refresh(self, connection: Connection, tenant: str) -> None:
        chunks, state, index = self._chunks(tenant), self._state(tenant), _name(tenant)
        if state is not None and (not state[0] or chunks <= self._exact_limit):
            with self._database.transaction(tenant) as own:
                own.execute(_UNRECORD, {"tenant": tenant})
            connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index}"))
            state = None
        if chunks <= self._exact_limit:
            return
        if state is None:
            started = time.perf_counter()
            connection.execute(text("SELECT set_config('statement_timeout', '0', false)"))
            connection.execute(
                text("SELECT set_config('maintenance_work_mem', :memory, false)"), {"memory": f"{self._memory_mb}MB"}
            )
            try:
                self._build(connection, tenant, index)
            except psycopg.errors.InsufficientPrivilege as error:
                raise StorageError(f"a dense index needs the owner of the tables: {error}") from error
            connection.execute(text("ANALYZE rag_app.data_chunks"))
            logger.info("dense index built of %d chunks in %.1f s", chunks, time.perf_counter() - started)
        ef_search, recall = self._measure(tenant)
        with self._database.transaction(tenant) as own:
            own.execute(_RECORD, {"tenant": tenant, "chunks": chunks, "ef_search": ef_search, "recall": recall})

    def _build(self, connection: Connection, tenant: str, index: str) -> None:
        statement = sql.SQL(
            "CREATE INDEX CONCURRENTLY {index} ON rag_app.data_chunks"
            " USING hnsw ((embedding::halfvec({embed_dim})) halfvec_cosine_ops)"
            " WITH (m = {m}, ef_construction = {ef_construction}) WHERE tenant = {tenant}"
        ).format(
            index=sql.Identifier(index.removeprefix("rag_app.")),
            embed_dim=sql.Literal(self._vector_store.embed_dim),
            m=sql.Literal(_M),
            ef_construction=sql.Literal(_EF_CONSTRUCTION),
            tenant=sql.Literal(tenant),
        )
        driver = connection.connection.driver_connection
        driver.execute(statement)  # type: ignore[union-attr]

    def _measure(self, tenant: str) -> tuple[int | None, float]:
        """Return the least `ef_search` whose recall suffices, None if none does, and the recall with it."""
        rows = self._database.fetch(tenant, _SAMPLE, {"limit": _PROBES})
        embedded = [list(self._embed_query(_question(row.text, place))) for place, row in enumerate(rows)]
        embeddings = [embedding for embedding in embedded if any(embedding)]
        recall = 0.0
        with self._database.snapshot(tenant) as fetch:  # else what is deleted meanwhile would count as not found

            def nearest(ef_search: int | None) -> list[list[float]]:
                return [
                    self._vector_store.distances(
                        embedding, _PROBE_TOP_K, tenant=tenant, ef_search=ef_search, fetch=fetch
                    )
                    for embedding in embeddings
                ]

            exact = nearest(None)
            for ef_search in EF_SEARCH:
                recall = _recall(nearest(ef_search), exact)
                if recall >= _AIM:
                    return ef_search, recall
        if recall >= RECALL:
            return EF_SEARCH[-1], recall
        logger.warning("a dense index is not used: it finds %.3f of the hits at most", recall)
        return None, recall

    def _chunks(self, tenant: str) -> int:
        return int(self._database.fetch(tenant, _CHUNKS, {})[0].chunks)

    def _state(self, tenant: str) -> tuple[bool, int] | None:
        """Return whether the tenant's index is ready and its size in bytes; None if there is none."""
        with self._database.transaction() as connection:
            row = connection.execute(_STATE, {"index": _name(tenant)}).one_or_none()
        return None if row is None else (row.valid, row.bytes)


def _name(tenant: str) -> str:
    """Return the index's name with its schema; a tenant's own name may be too long for one, or hold anything."""
    return f"rag_app.chunks_hnsw_{hashlib.sha256(tenant.encode()).hexdigest()[:32]}"


def _question(chunk: str, place: int) -> str:
    """Return a few words of a chunk, from a place that differs from chunk to chunk."""
    words = chunk.split()
    start = place % max(1, len(words) - _PROBE_WORDS)
    return " ".join(words[start : start + _PROBE_WORDS])


def _recall(found: Sequence[list[float]], exact: Sequence[list[float]]) -> float:
    """Return the share of the exact hits that were found; of several that are equally far, any will do."""
    expected = sum(map(len, exact))
    hits = sum(distance <= own[-1] for distances, own in zip(found, exact, strict=True) for distance in distances)
    return hits / expected if expected else 1.0
