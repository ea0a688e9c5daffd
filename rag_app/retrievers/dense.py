"""The dense leg: nearest chunks of the tenant by embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from llama_index.core.schema import NodeWithScore

from rag_app.background import BackgroundLoop
from rag_app.embeddings import Embedding
from rag_app.errors import ComponentError
from rag_app.retrievers.searching import TenantRetriever
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader


class DenseStore(Protocol):
    """Where vectors are searched."""

    async def anearest(self, query: RetrievalQuery, embedding: Sequence[float], top_k: int) -> dict[str, float]:
        """Return the cosine similarities of the chunks nearest to a vector by id, of those that the query may find."""
        ...


class DenseLeg(TenantRetriever):
    """Retrieves the chunks nearest to the query; scores are cosine similarities.

    Args:
        store: where the vectors are.
        reader: where the texts are.
        embedding: what the chunks were stored with.
        loop: where synchronous calls run.
        similarity_top_k: the most chunks to return.
    """

    def __init__(
        self,
        store: DenseStore,
        reader: ChunkReader,
        embedding: Embedding,
        loop: BackgroundLoop,
        *,
        similarity_top_k: int = 20,
    ) -> None:
        super().__init__()
        self._loop = loop
        self._store = store
        self._reader = reader
        self._embedding = embedding
        self._similarity_top_k = similarity_top_k

    async def asearch(self, query: RetrievalQuery) -> list[NodeWithScore]:
        """Return the nearest chunks, the nearest first."""
        if query.stored_embedding not in (None, self._embedding.fingerprint):
            raise ComponentError(
                "the vectors were made anew by another embedding: start this process with the new settings",
                "re-indexed",
            )
        meant = query.reading.text if query.reading is not None else query.query_str
        embedding = query.embedding or await self._embedding.model.aget_query_embedding(meant)
        if not any(embedding):
            return []  # a query without a single word lies nowhere
        most = query.options.dense_top_k or self._similarity_top_k
        return await self._reader.afound(query, await self._store.anearest(query, embedding, most))
