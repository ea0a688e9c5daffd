"""What the legs of stage 2 have in common."""

from __future__ import annotations

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from rag_app.background import BackgroundLoop
from rag_app.schema import RetrievalQuery


class Leg(BaseRetriever):
    """A retriever of one tenant's chunks, which needs to know whose they are; subclasses have `asearch`.

    Args:
        loop: where synchronous calls run.
    """

    def __init__(self, loop: BackgroundLoop) -> None:
        super().__init__()
        self._loop = loop

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._loop.call(self._aretrieve, query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await self.asearch(RetrievalQuery.of(query_bundle))

    async def asearch(self, query: RetrievalQuery) -> list[NodeWithScore]:
        """Return the best chunks, of those that the query may find."""
        raise NotImplementedError  # LlamaIndex would make every implementation of an abstract method a span
