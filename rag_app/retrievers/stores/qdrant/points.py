"""A tenant's points in the collection: each filter and each id of one is made here, and names the tenant."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence

from qdrant_client import QdrantClient, models

from rag_app.storage import ChunkVectors
from rag_app.storage.vectors import NOTHING

_IDS = uuid.UUID("0b6f1b52-6f0e-4b0a-9c39-6c3f6b3c2d11")
_NUMBERS = 250_000  # in one request, which is then a few megabytes of JSON
_PAGE = 2_000  # ids


def within(
    tenant: str,
    *,
    sources: Collection[str] | None = None,
    doc_ids: Collection[str] | None = None,
    but: Sequence[str] = (),
) -> models.Filter:
    """Return the filter for a tenant's points, of these sources and documents or of all, but for those of some ids."""
    must: list[models.Condition] = [models.FieldCondition(key="tenant", match=models.MatchValue(value=tenant))]
    for key, names in (("source", sources), ("doc_id", doc_ids)):
        if names is not None:
            must.append(models.FieldCondition(key=key, match=models.MatchAny(any=sorted(names))))
    return models.Filter(must=must, must_not=[models.HasIdCondition(has_id=list(but))] if but else None)


class TenantPoints:
    """The points of one tenant, in one collection, as one client sees them.

    How new they are is kept in a point of its own, which no filter for a tenant passes.

    Args:
        embedding: what the vectors are made by; points of another count as none.
    """

    def __init__(self, client: QdrantClient, collection: str, tenant: str, embedding: str) -> None:
        self._client = client
        self._collection = collection
        self._tenant = tenant
        self._embedding = embedding

    def generation(self) -> int:
        """Return the tenant's generation that the points are of; `NOTHING` if that is not known."""
        found = self._client.retrieve(self._collection, [_id("state", self._tenant)], with_payload=True)
        payload = (found[0].payload or {}) if found else {}
        return int(payload["generation"]) if payload.get("embedding") == self._embedding else NOTHING

    def set_generation(self, generation: int, embed_dim: int) -> None:
        """Note which generation the points are of."""
        payload = {"state_of": self._tenant, "generation": generation, "embedding": self._embedding}
        vector = [1.0] + [0.0] * (embed_dim - 1)
        point = models.PointStruct(id=_id("state", self._tenant), vector=vector, payload=payload)
        self._client.upsert(self._collection, [point], wait=True)

    def put(self, chunks: ChunkVectors, doc_ids: Collection[str]) -> None:
        """Store the chunks of documents in place of what is there of these; first the new, so that none is missing."""
        at_once = max(1, _NUMBERS // max(1, chunks.matrix.shape[1]))
        placed = [place for place in range(len(chunks.node_ids)) if chunks.matrix[place].any()]
        ids = [self.id_of(chunks.node_ids[place]) for place in placed]
        for start in range(0, len(placed), at_once):
            places = placed[start : start + at_once]
            batch = models.Batch(
                ids=list(ids[start : start + at_once]),
                vectors=chunks.matrix[places].tolist(),
                payloads=[
                    {
                        "tenant": self._tenant,
                        "source": chunks.sources[place],
                        "doc_id": chunks.doc_ids[place],
                        "node_id": chunks.node_ids[place],
                    }
                    for place in places
                ],
            )
            self._client.upsert(self._collection, batch, wait=True)
        self._delete(within(self._tenant, doc_ids=doc_ids, but=ids))

    def drop_documents(self, doc_ids: Sequence[str]) -> None:
        """Delete all points of documents."""
        for start in range(0, len(doc_ids), _PAGE):
            self._delete(within(self._tenant, doc_ids=doc_ids[start : start + _PAGE]))

    def keep_only(self, node_ids: Sequence[str]) -> None:
        """Delete the points of all chunks but these."""
        kept = {self.id_of(node_id) for node_id in node_ids}
        gone = [held for held in self._held() if held not in kept]
        for start in range(0, len(gone), _PAGE):
            ids: list[int | str | uuid.UUID] = list(gone[start : start + _PAGE])
            self._client.delete(self._collection, models.PointIdsList(points=ids), wait=True)

    def nearest(
        self,
        embedding: Sequence[float],
        top_k: int,
        sources: Collection[str] | None,
        doc_ids: Collection[str] | None,
    ) -> dict[str, float]:
        """Return the cosine similarities of the nearest chunks by id, the nearest first."""
        found = self._client.query_points(
            self._collection,
            query=list(embedding),
            query_filter=within(self._tenant, sources=sources, doc_ids=doc_ids),
            limit=top_k,
            with_payload=["node_id"],
        )
        return {str((point.payload or {})["node_id"]): point.score for point in found.points}

    def id_of(self, node_id: str) -> str:
        """Return the id of a chunk's point."""
        return _id(self._tenant, node_id)

    def _held(self) -> Iterator[str]:
        offset = None
        while True:
            points, offset = self._client.scroll(
                self._collection, within(self._tenant), limit=_PAGE, offset=offset, with_payload=False
            )
            yield from (str(point.id) for point in points)
            if offset is None:
                return

    def _delete(self, chosen: models.Filter) -> None:
        self._client.delete(self._collection, models.FilterSelector(filter=chosen), wait=True)


def _id(*parts: str) -> str:
    return str(uuid.uuid5(_IDS, "\0".join(parts)))
