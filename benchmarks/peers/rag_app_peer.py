"""rag_app in its embedded profile, which orders the fused candidates by its lexical reranker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_index.core.schema import NodeWithScore
from worker import CANDIDATES, DENSE_TOP_K, SPARSE_TOP_K, TOP_N, Peer, Vectors, serve

from rag_app import RagApp
from rag_app.embeddings import HashingEmbedding
from rag_app.postprocessors import CrossEncoderRerank
from rag_app.retrievers import ask
from rag_app.schema import RetrievalQuery

TENANT = "peers"
UNCUT_TOKENS = 1024


class Remembered(HashingEmbedding):
    """Looks the vectors up; those of questions as they were read are made in the round that is not timed."""

    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [_looked_up(self, text.strip()) for text in texts]


_vectors: Vectors
_made: dict[str, list[float]] = {}


def _looked_up(model: Remembered, text: str) -> list[float]:
    if text in _vectors:
        return _vectors.of(text)
    if text not in _made:
        _made[text] = HashingEmbedding._embed(model, [text])[0]
    return _made[text]


class RagAppPeer(Peer):
    """Stages 2 and 3 of the pipeline, as a request runs them, without a deadline.

    The cross-encoder is configured and loaded late, so that the lexical reranker is measured before.

    Attributes:
        precision: of the cross-encoder.
    """

    packages = ("rag-app",)
    precision = "auto"

    def __init__(self, folder: Path, vectors: Vectors) -> None:
        global _vectors
        _vectors = vectors
        self._settings: dict[str, Any] = {
            "profile": "embedded",
            "data_dir": folder,
            "embedding": {"kind": f"{__name__}:{Remembered.__name__}"},
            "ingestion": {"child_tokens": UNCUT_TOKENS, "parent_tokens": UNCUT_TOKENS},
            "retrieval": {
                "dense_top_k": DENSE_TOP_K,
                "sparse_top_k": SPARSE_TOP_K,
                "fusion_top_k": CANDIDATES,
                "leg_timeout_s": 20,
            },
        }
        self._app = RagApp.from_config(**self._settings)

    def ingest(self, documents: Mapping[str, str]) -> None:
        """Store the documents, and have the tenant's index of BM25 built by a first question."""
        records = [{"id": doc_id, "text": text, "source": "manual"} for doc_id, text in documents.items()]
        report = self._app.ingest(records, tenant=TENANT)
        self.retrieve(" ".join(next(iter(documents.values())).split()[:8]))
        if report.chunks != len(documents):
            raise RuntimeError("a document was cut")

    def retrieve(self, question: str) -> list[NodeWithScore]:
        """Read the question, ask both legs and fuse."""
        self._query = RetrievalQuery(question, tenant=TENANT)
        return self._app.loop.call(self._retrieved, self._query)

    async def _retrieved(self, query: RetrievalQuery) -> list[NodeWithScore]:
        pipeline = self._app.pipeline
        await pipeline.catalog.aresolve(query, await pipeline.catalog.asnapshot(TENANT))
        query.reading = await pipeline.read(query)
        return await ask(pipeline.retriever, query)

    def order(self, question: str, candidates: list[NodeWithScore]) -> list[NodeWithScore]:
        """Order them by the lexical reranker."""
        return self._reranked("lexical", candidates)

    def load(self, model: Path) -> None:
        """Open the application anew with it."""
        self._app.close()
        rerank = {"kind": "cross_encoder", "model": str(model), "top_k": TOP_N, "cache_size": 0}
        rerank |= {"precision": self.precision, "load": "eager", "load_timeout_s": 600}
        self._app = RagApp.from_config(**self._settings, rerank=rerank)
        cross_encoder = self._app.pipeline.rerankers["cross_encoder"]
        if isinstance(cross_encoder, CrossEncoderRerank) and (error := cross_encoder.status().error):
            raise RuntimeError(error)

    def rerank(self, question: str, candidates: list[NodeWithScore]) -> list[NodeWithScore]:
        """Let it choose."""
        return self._reranked("cross_encoder", candidates)[:TOP_N]

    def _reranked(self, name: str, candidates: list[NodeWithScore]) -> list[NodeWithScore]:
        reranker = self._app.pipeline.rerankers[name]
        return self._app.loop.call(reranker.apostprocess_nodes, candidates, self._query)

    def doc_id(self, candidate: Any) -> str:
        """Return that of the chunk's document."""
        return str(candidate.node.metadata["doc_id"])

    def close(self) -> None:
        """Stop the database."""
        self._app.close()


if __name__ == "__main__":
    serve(RagAppPeer)
