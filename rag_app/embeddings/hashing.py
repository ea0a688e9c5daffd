"""An embedding that needs no model and no network: signed hashing of character n-grams."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from rag_app.embeddings.options import Embedding, EmbeddingOptions
from rag_app.persian import PersianAnalyzer, idf, ngrams

SMALLEST, LARGEST = 3, 5
_SHORT = 500  # characters
_WEIGHTS = 2  # the version of the words' weights, which the vectors hold


def open_with(options: EmbeddingOptions) -> Embedding:
    """Return the embedding, with its word tables loaded."""
    model = HashingEmbedding(embed_dim=options.dim or 1024)
    model.get_query_embedding("سلام")
    return Embedding(model, model.embed_dim, model.fingerprint)


class HashingEmbedding(BaseEmbedding):
    """Embeds a text as the IDF-weighted sum of its words' hashed character n-grams, of unit length.

    Words that share most of their letters lie close together, so it finds misspelt and inflected words that BM25
    misses; it knows nothing of meaning. Each n-gram adds +1 or -1 at one of `embed_dim` places (Weinberger et al.
    2009, "Feature Hashing for Large Scale Multitask Learning"); a word's vector has unit length before it is weighted.

    Args:
        embed_dim: the length of the vectors; below 1,024 collisions cost recall.
    """

    embed_dim: int = 1024
    embed_batch_size: int = 256
    _analyzer: PersianAnalyzer = PrivateAttr(default_factory=PersianAnalyzer)
    _vectorizer: Any = PrivateAttr(default=None)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "HashingEmbedding"

    @property
    def fingerprint(self) -> str:
        """Identify the space that the vectors lie in."""
        return f"hashing-{SMALLEST}-{LARGEST}-{self.embed_dim}-{_WEIGHTS}-{self._analyzer.fingerprint}"

    def _embed(self, texts: list[str]) -> list[list[float]]:
        import numpy as np
        from scipy import sparse
        from sklearn import config_context
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.preprocessing import normalize

        if self._vectorizer is None:
            self._vectorizer = HashingVectorizer(
                n_features=self.embed_dim,
                analyzer=lambda word: ngrams(word, SMALLEST, LARGEST),
                norm="l2",
                alternate_sign=True,
                dtype=np.float32,
            )
        vocabulary: dict[str, int] = {}
        columns, counts, starts = [], [], [0]
        for text in texts:
            for word, count in Counter(self._analyzer.words(text)).items():
                columns.append(vocabulary.setdefault(word, len(vocabulary)))
                counts.append(count)
            starts.append(len(columns))
        if not vocabulary:
            return [[0.0] * self.embed_dim for _ in texts]
        weights = np.array([idf(word) for word in vocabulary])[columns] * (1.0 + np.log(counts))
        words = sparse.csr_matrix((weights.astype(np.float32), columns, starts), shape=(len(texts), len(vocabulary)))
        # Looking over what was just made would take as long for a question as making it.
        with config_context(assume_finite=True, skip_parameter_validation=True):
            vectors = normalize(words @ self._vectorizer.transform(vocabulary))
        rows: list[list[float]] = vectors.toarray().tolist()
        return rows

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embed([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embed(texts)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embed([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        if len(query) <= _SHORT:  # about a millisecond: a thread would take as long to begin
            return self._get_query_embedding(query)
        return await asyncio.to_thread(self._get_query_embedding, query)
