from __future__ import annotations

from collections.abc import Callable

import pytest
from llama_index.core.base.base_retriever import BaseRetriever

from rag_app import RagApp
from rag_app.schema import RetrievalQuery
from rag_app.trace import Trace

LEGS = ("dense", "bm25")
RETRIEVERS = (*LEGS, "hybrid")


@pytest.fixture(params=RETRIEVERS)
def retriever(request: pytest.FixtureRequest, app: RagApp) -> BaseRetriever:
    """Every retriever of the application, one after the other."""
    hybrid = app.pipeline.retriever
    return hybrid if request.param == "hybrid" else hybrid.legs[request.param]


@pytest.fixture
def ask(app: RagApp) -> Callable[..., RetrievalQuery]:
    """Makes a query as the pipeline would, at the tenant's present generation."""

    def make(text: str, tenant: str, sources: tuple[str, ...] | None = None) -> RetrievalQuery:
        snapshot = app.loop.call(app.pipeline.catalog.asnapshot, tenant)
        return RetrievalQuery(
            query_str=text, tenant=tenant, sources=sources, generation=snapshot.generation, trace=Trace()
        )

    return make
