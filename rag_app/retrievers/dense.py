"""The dense leg: nearest chunks of the tenant by embedding."""

from __future__ import annotations

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import VectorStoreQuery

from rag_app.background import BackgroundLoop
from rag_app.embeddings import Embedding
from rag_app.errors import ComponentError
from rag_app.schema import RetrievalQuery
from rag_app.storage import TenantPGVectorStore


class DenseLeg(BaseRetriever):
    """Retrieves the chunks nearest to the query; scores are cosine similarities.

    Args:
        vector_store: where the chunks are.
        embedding: what the chunks were stored with.
        loop: where synchronous calls run.
        similarity_top_k: the most chunks to return.
    """

    def __init__(
        self,
        vector_store: TenantPGVectorStore,
        embedding: Embedding,
        loop: BackgroundLoop,
        *,
        similarity_top_k: int = 20,
    ) -> None:
        super().__init__()
        self._vector_store = vector_store
        self._embedding = embedding
        self._loop = loop
        self._similarity_top_k = similarity_top_k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._loop.call(self._aretrieve, query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = RetrievalQuery.of(query_bundle)
        if query.stored_embedding not in (None, self._embedding.fingerprint):
            raise ComponentError(
                "the vectors were made anew by another embedding: start this process with the new settings",
                "re-indexed",
            )
        meant = query.reading.text if query.reading is not None else query.query_str
        embedding = query.embedding or await self._embedding.model.aget_query_embedding(meant)
        if not any(embedding):
            return []  # a query without a single word lies nowhere
        found = await self._vector_store.aquery(
            VectorStoreQuery(
                query_embedding=embedding, similarity_top_k=query.options.dense_top_k or self._similarity_top_k
            ),
            tenant=query.tenant,
            sources=query.sources,
            doc_ids=query.doc_ids,
            ef_search=query.ef_search,
        )
        return [
            NodeWithScore(node=node, score=score)
            for node, score in zip(found.nodes or (), found.similarities or (), strict=True)
        ]
