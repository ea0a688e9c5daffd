"""LangChain: `BM25Retriever` and a FAISS store in an `EnsembleRetriever`, then `CrossEncoderReranker`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langchain_classic.retrievers import EnsembleRetriever
from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
from langchain_community.cross_encoders import HuggingFaceCrossEncoder
from langchain_community.retrievers import BM25Retriever
from langchain_community.vectorstores import FAISS
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from worker import CANDIDATES, DENSE_TOP_K, SPARSE_TOP_K, TOP_N, Peer, Vectors, serve


class Remembered(Embeddings):  # type: ignore[misc]  # not installed where types are checked
    """Looks the vectors up."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return those of the texts."""
        return [self._vectors.of(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return that of the question."""
        return self._vectors.of(text)


class LangChainPeer(Peer):
    """Every document is one of LangChain's, uncut; what the ensemble finds beyond the candidates is left out."""

    packages = ("langchain-classic", "langchain-community", "faiss-cpu", "rank-bm25", "sentence-transformers")

    def __init__(self, folder: Path, vectors: Vectors) -> None:
        self._embeddings = Remembered(vectors)

    def ingest(self, documents: Mapping[str, str]) -> None:
        """Make both indexes, in memory."""
        given = [Document(page_content=text, metadata={"doc_id": doc_id}) for doc_id, text in documents.items()]
        store = FAISS.from_documents(given, self._embeddings)
        self._ensemble = EnsembleRetriever(
            retrievers=[
                BM25Retriever.from_documents(given, k=SPARSE_TOP_K),
                store.as_retriever(search_kwargs={"k": DENSE_TOP_K}),
            ],
            weights=[0.5, 0.5],
        )

    def retrieve(self, question: str) -> list[Any]:
        """Ask both legs and fuse."""
        found: list[Any] = self._ensemble.invoke(question)[:CANDIDATES]
        return found

    def load(self, model: Path) -> None:
        """Load it as `CrossEncoderReranker`, which a `ContextualCompressionRetriever` would call."""
        cross_encoder = HuggingFaceCrossEncoder(model_name=str(model), model_kwargs={"device": "cpu"})
        self._reranker = CrossEncoderReranker(model=cross_encoder, top_n=TOP_N)

    def rerank(self, question: str, candidates: list[Any]) -> list[Any]:
        """Let it choose."""
        return list(self._reranker.compress_documents(candidates, question))

    def doc_id(self, candidate: Any) -> str:
        """Return the id that the metadata hold."""
        return str(candidate.metadata["doc_id"])


if __name__ == "__main__":
    serve(LangChainPeer)
