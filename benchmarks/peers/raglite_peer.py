"""RAGLite: `hybrid_search` and `rerank_chunks` over DuckDB, with an embedder and a reranker of one's own.

Two of its parts would come from the network. DuckDB's extensions, which it installs when it opens a database, are
brought by packages here. Its model that finds sentences is not to be had that way: each document is taken for one
sentence, and so is one chunk of one vector, as no document is cut on the other sides either.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import litellm
import numpy as np
from numpy.typing import NDArray
from raglite import (
    Document,
    RAGLiteConfig,
    _split_sentences,
    hybrid_search,
    insert_documents,
    rerank_chunks,
    retrieve_chunks,
)
from rerankers import Reranker
from worker import CANDIDATES, TOP_N, Peer, Vectors, serve

PROVIDER = "remembered"


class Remembered(litellm.CustomLLM):  # type: ignore[misc]  # not installed where types are checked
    """Looks the vectors up, as a provider of LiteLLM's."""

    def __init__(self, vectors: Vectors) -> None:
        super().__init__()
        self._vectors = vectors

    def embedding(self, model: str, input: list[str], model_response: Any, *args: Any, **options: Any) -> Any:  # noqa: A002
        """Return those of the texts; a chunk begins with the front matter that RAGLite writes."""
        found = [self._vectors.of(text.split("\n---\n\n", 1)[-1].strip()) for text in input]
        model_response.data = [
            {"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(found)
        ]
        return model_response


class NoBoundaries:
    """Stands where RAGLite's model of sentences is, and finds the end of none."""

    def predict_proba(self, text: str, **options: Any) -> NDArray[np.float32]:
        """Return 0 for each letter."""
        return np.zeros(len(text), dtype=np.float32)


class RAGLitePeer(Peer):
    """Weights, oversampling and HNSW as they are by default."""

    packages = ("raglite", "duckdb", "rerankers", "litellm", "transformers")

    def __init__(self, folder: Path, vectors: Vectors) -> None:
        for name in ("fts", "vss"):
            package = Path(str(import_module(f"duckdb_extension_{name}").__file__)).parent
            duckdb.execute(f"INSTALL '{next(package.rglob('*.duckdb_extension'))}'")
        litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": Remembered(vectors)})
        litellm.utils.custom_llm_setup()
        embedder = f"{PROVIDER}/{vectors.dim}"
        litellm.register_model(
            {embedder: {"output_vector_size": vectors.dim, "litellm_provider": PROVIDER, "mode": "embedding"}}
        )
        _split_sentences._load_sat = lambda: (NoBoundaries(), {})
        self._config = RAGLiteConfig(  # the LLM is never asked
            db_url=f"duckdb:///{folder / 'raglite.db'}", llm="gpt-4o-mini", embedder=embedder, reranker=None
        )

    def ingest(self, documents: Mapping[str, str]) -> None:
        """Insert them, which makes both indexes."""
        given = [Document.from_text(text, id=doc_id) for doc_id, text in documents.items()]
        insert_documents(given, config=self._config)

    def retrieve(self, question: str) -> list[Any]:
        """Search, and fetch the chunks."""
        chunk_ids, _ = hybrid_search(question, num_results=CANDIDATES, config=self._config)
        chunks: list[Any] = retrieve_chunks(chunk_ids, config=self._config)
        return chunks

    def load(self, model: Path) -> None:
        """Load it by the library rerankers."""
        self._reranking = RAGLiteConfig(
            db_url=self._config.db_url,
            llm=self._config.llm,
            embedder=self._config.embedder,
            reranker=Reranker(str(model), model_type="cross-encoder", device="cpu", verbose=0),
        )

    def rerank(self, question: str, candidates: list[Any]) -> list[Any]:
        """Let it choose."""
        chunks: list[Any] = rerank_chunks(question, candidates, config=self._reranking)[:TOP_N]
        return chunks

    def doc_id(self, candidate: Any) -> str:
        """Return that of the chunk's document."""
        return str(candidate.document_id)


if __name__ == "__main__":
    serve(RAGLitePeer)
