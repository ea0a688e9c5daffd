from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from llama_index.core.base.base_retriever import BaseRetriever

from rag_app import RagApp
from rag_app.embeddings import EmbeddingOptions, open_embedding
from rag_app.retrievers import DenseLeg, PostgresFtsLeg
from rag_app.retrievers.stores import MemoryStore
from rag_app.retrievers.stores.qdrant import QdrantOptions, QdrantStore
from rag_app.schema import RequestOptions, RetrievalQuery
from rag_app.storage import ChunkReader, TenantPGVectorStore, TextSearch, VectorReader
from rag_app.trace import Trace

LEGS = ("dense", "bm25")
FURTHER = ("postgres", "memory", "qdrant", "postgres_fts")  # kinds of legs that the application does not have by itself
RETRIEVERS = (*LEGS, *FURTHER, "hybrid")


@pytest.fixture(scope="session")
def further(app: RagApp) -> Iterator[dict[str, BaseRetriever]]:
    """A leg of each further kind, on the database of the application."""
    database, embedding = app.database, open_embedding("hashing", EmbeddingOptions())
    qdrant = QdrantStore(
        QdrantOptions(), database, embed_dim=embedding.dim, fingerprint=embedding.fingerprint, patience_s=20
    )
    postgres = TenantPGVectorStore(database, embedding.dim)
    stores = {"postgres": postgres, "memory": MemoryStore(VectorReader(database)), "qdrant": qdrant}
    search, reader = TextSearch(database), ChunkReader(database)
    search.prepare()
    dense = {name: DenseLeg(store, reader, embedding, app.loop) for name, store in stores.items()}
    yield {**dense, "postgres_fts": PostgresFtsLeg(search, reader, app.loop)}
    qdrant.close()


@pytest.fixture
def postgres(further: dict[str, BaseRetriever]) -> BaseRetriever:
    """The dense leg that has PostgreSQL compare all vectors."""
    return further["postgres"]


@pytest.fixture(params=RETRIEVERS)
def retriever(request: pytest.FixtureRequest, app: RagApp, further: dict[str, BaseRetriever]) -> BaseRetriever:
    """Every retriever of the application, one after the other, and every further leg."""
    hybrid = app.pipeline.retriever
    return hybrid if request.param == "hybrid" else {**hybrid.legs, **further}[request.param]


@pytest.fixture
def ask(app: RagApp) -> Callable[..., RetrievalQuery]:
    """Makes a query as the pipeline would, at the tenant's present generation."""

    def make(
        text: str, tenant: str, sources: tuple[str, ...] | None = None, top_k: int | None = None
    ) -> RetrievalQuery:
        catalog = app.pipeline.catalog
        query = RetrievalQuery(
            query_str=text,
            tenant=tenant,
            sources=sources,
            options=RequestOptions(dense_top_k=top_k, sparse_top_k=top_k, fusion_top_k=top_k),
            trace=Trace(),
        )
        app.loop.call(catalog.aresolve, query, app.loop.call(catalog.asnapshot, tenant))
        return query

    return make
