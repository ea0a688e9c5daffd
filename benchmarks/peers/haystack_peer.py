"""Haystack: a pipeline of BM25 and embedding retrievers over `InMemoryDocumentStore`, `DocumentJoiner` and a ranker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from haystack import Document, Pipeline, component
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.rankers.sentence_transformers import SentenceTransformersSimilarityRanker
from worker import CANDIDATES, DENSE_TOP_K, SPARSE_TOP_K, TOP_N, Peer, Vectors, serve


@component
class Remembered:
    """Looks the vector of a question up, in the place of a text embedder."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    @component.output_types(embedding=list[float])  # type: ignore[untyped-decorator]
    def run(self, text: str) -> dict[str, list[float]]:
        """Return it."""
        return {"embedding": self._vectors.of(text)}


class HaystackPeer(Peer):
    """Every document is one of Haystack's, uncut."""

    packages = ("haystack-ai", "sentence-transformers-haystack", "sentence-transformers")

    def __init__(self, folder: Path, vectors: Vectors) -> None:
        self._vectors = vectors

    def ingest(self, documents: Mapping[str, str]) -> None:
        """Write the documents with their vectors, and connect the pipeline."""
        store = InMemoryDocumentStore()
        store.write_documents(
            [Document(id=doc_id, content=text, embedding=self._vectors.of(text)) for doc_id, text in documents.items()]
        )
        self._pipeline = Pipeline()
        self._pipeline.add_component("text_embedder", Remembered(self._vectors))
        self._pipeline.add_component("embedding_retriever", InMemoryEmbeddingRetriever(store, top_k=DENSE_TOP_K))
        self._pipeline.add_component("bm25_retriever", InMemoryBM25Retriever(store, top_k=SPARSE_TOP_K))
        joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=CANDIDATES)
        self._pipeline.add_component("document_joiner", joiner)
        self._pipeline.connect("text_embedder", "embedding_retriever")
        self._pipeline.connect("bm25_retriever", "document_joiner")
        self._pipeline.connect("embedding_retriever", "document_joiner")

    def retrieve(self, question: str) -> list[Any]:
        """Run the pipeline."""
        found = self._pipeline.run({"text_embedder": {"text": question}, "bm25_retriever": {"query": question}})
        documents: list[Any] = found["document_joiner"]["documents"]
        return documents

    def load(self, model: Path) -> None:
        """Load it as the ranker that ends the pipeline."""
        self._ranker = SentenceTransformersSimilarityRanker(model=str(model), top_k=TOP_N)
        self._ranker.warm_up()

    def rerank(self, question: str, candidates: list[Any]) -> list[Any]:
        """Let it choose."""
        documents: list[Any] = self._ranker.run(query=question, documents=candidates)["documents"]
        return documents

    def doc_id(self, candidate: Any) -> str:
        """Return the document's own."""
        return str(candidate.id)


if __name__ == "__main__":
    serve(HaystackPeer)
