"""Searching Qdrant, and keeping it as PostgreSQL is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple, TypeVar

from qdrant_client import QdrantClient

from rag_app.retrievers.stores.qdrant.client import QdrantConnection, QdrantOptions
from rag_app.retrievers.stores.qdrant.points import TenantPoints
from rag_app.retrievers.stores.refreshes import Refreshes
from rag_app.schema import RetrievalQuery
from rag_app.storage import Database, VectorReader

T = TypeVar("T")
_CHUNKS = 1_000  # read and written at a time


class _Held(NamedTuple):
    """What Qdrant holds of a tenant."""

    generation: int


class QdrantStore:
    """The chunks' vectors in a Qdrant collection of all tenants, which follows PostgreSQL.

    Each tenant's points carry the generation they are of, in Qdrant, where every process sees it. One that finds them
    behind brings them up to date; processes take turns at that.

    Args:
        options: where Qdrant is; it is reached when it is first needed.
        database: what it follows.
        embed_dim: how long vectors are.
        fingerprint: what they are made by.
        patience_s: how long a query waits for points that are behind, before it searches what is there.
    """

    def __init__(
        self, options: QdrantOptions, database: Database, *, embed_dim: int, fingerprint: str, patience_s: float
    ) -> None:
        self._connection = QdrantConnection(options, embed_dim)
        self._database = database
        self._vectors = VectorReader(database)
        self._fingerprint = fingerprint
        self._patience_s = patience_s
        self._known: dict[str, int] = {}
        self._refreshes = Refreshes(self._arefresh)

    async def anearest(self, query: RetrievalQuery, embedding: Sequence[float], top_k: int) -> dict[str, float]:
        """Return the cosine similarities of the chunks nearest to a vector by id, of those that the query may find.

        Points that are behind and can not be brought up to date in time are searched as they are, which is noted.

        Raises:
            ComponentError: Qdrant does not answer or refuses.
            DatabaseUnavailableError: the points are behind, and the database does not answer.
        """
        tenant = query.tenant
        if self._known.get(tenant, 0) < query.generation:
            try:
                async with asyncio.timeout(min(self._patience_s, query.deadline.remaining() / 2)):
                    await self._refreshes.at_least(tenant, query.generation)
            except TimeoutError:
                query.trace.degrade("retrieval", "qdrant", "index behind", "what it holds")
        try:
            return await asyncio.wrap_future(
                self._submit(tenant, lambda points: points.nearest(embedding, top_k, query.sources, query.doc_ids))
            )
        except Exception:
            self._known.pop(tenant, None)  # what it held may be lost
            raise

    def refresh(self, tenant: str) -> None:
        """Bring the tenant's points up to date, and wait.

        Raises:
            ComponentError: Qdrant does not answer or refuses.
            DatabaseUnavailableError: the database does not answer.
        """
        if not self._is_new(tenant):
            with self._database.turn(f"qdrant {self._connection.collection} {tenant}"):
                self._follow(tenant)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def _arefresh(self, tenant: str) -> _Held:
        await asyncio.to_thread(self.refresh, tenant)
        return _Held(self._known.get(tenant, 0))

    def _is_new(self, tenant: str) -> bool:
        held = self._submit(tenant, TenantPoints.generation).result()
        self._known[tenant] = held
        return held == self._vectors.generation(tenant)

    def _follow(self, tenant: str) -> None:
        """Write what changed; what changes meanwhile has a newer generation, and comes the next time."""
        since = self._submit(tenant, TenantPoints.generation).result()
        pending = self._vectors.pending(tenant, since)
        if pending.deleted is None:
            node_ids = self._vectors.node_ids(tenant)
            self._submit(tenant, lambda points: points.keep_only(node_ids)).result()
        else:
            deleted = pending.deleted
            self._submit(tenant, lambda points: points.drop_documents(deleted)).result()
        for doc_ids in _batches(pending.written):
            self._put(tenant, doc_ids)
        dim = self._connection.embed_dim
        self._submit(tenant, lambda points: points.set_generation(pending.generation, dim)).result()
        self._known[tenant] = pending.generation

    def _put(self, tenant: str, doc_ids: Sequence[str]) -> None:
        chunks = self._vectors.of_documents(tenant, doc_ids)
        self._submit(tenant, lambda points: points.put(chunks, doc_ids)).result()

    def _submit(self, tenant: str, work: Callable[[TenantPoints], T]) -> Future[T]:
        def on_points(client: QdrantClient) -> T:
            return work(TenantPoints(client, self._connection.collection, tenant, self._fingerprint))

        return self._connection.submit(on_points)


def _batches(written: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Return the documents, so many at a time that they have about as many chunks as are written at once."""
    batch: list[str] = []
    held = 0
    for doc_id, chunks in written:
        batch.append(doc_id)
        held += chunks
        if held >= _CHUNKS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
