from __future__ import annotations

from collections.abc import Callable

import pytest
from llama_index.core.base.base_retriever import BaseRetriever

from rag_app import RagApp
from rag_app.embeddings import HashingEmbedding
from rag_app.retrievers import DenseLeg
from rag_app.retrievers.stores import MemoryStore
from rag_app.schema import RequestOptions, RetrievalQuery
from rag_app.storage import ChunkReader, VectorReader
from rag_app.trace import Trace

LEGS = ("dense", "bm25")
FURTHER = ("memory",)  # kinds of legs that the application does not have by itself
RETRIEVERS = (*LEGS, *FURTHER, "hybrid")


@pytest.fixture(scope="session")
def further(app: RagApp) -> dict[str, BaseRetriever]:
    """A leg of each further kind, on the database of the application."""
    database = app.database
    reader, vectors, embedding = ChunkReader(database), VectorReader(database), HashingEmbedding()
    return {"memory": DenseLeg(MemoryStore(vectors, reader), embedding, app.loop)}


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
        snapshot = app.loop.call(app.pipeline.catalog.asnapshot, tenant)
        return RetrievalQuery(
            query_str=text,
            tenant=tenant,
            sources=sources,
            generation=snapshot.generation,
            options=RequestOptions(dense_top_k=top_k, sparse_top_k=top_k, fusion_top_k=top_k),
            trace=Trace(),
        )

    return make
