"""An embedding that needs no model and no network: signed hashing of character n-grams."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import mmh3
from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from rag_app.embeddings.options import Embedding, EmbeddingOptions
from rag_app.persian import PersianAnalyzer, idf, ngrams

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

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
        vectors = _of_unit_length(words @ self._of_words(list(vocabulary)))
        rows: list[list[float]] = vectors.toarray().tolist()
        return rows

    def _of_words(self, words: Sequence[str]) -> csr_matrix:
        """Return the vectors of words, one a row, of length 1."""
        import numpy as np
        from scipy import sparse

        of_each = [ngrams(word, SMALLEST, LARGEST) for word in words]
        hashes = np.array([mmh3.hash(ngram) for each in of_each for ngram in each], np.int64)
        starts = np.cumsum([0, *map(len, of_each)])
        signs = np.where(hashes < 0, -1, 1).astype(np.float32)
        vectors = sparse.csr_matrix((signs, np.abs(hashes) % self.embed_dim, starts), (len(words), self.embed_dim))
        vectors.sum_duplicates()
        return _of_unit_length(vectors)

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


def _of_unit_length(vectors: csr_matrix) -> csr_matrix:
    """Return the rows with length 1, but for those of zeros."""
    import numpy as np

    rows = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    squares = np.bincount(rows, vectors.data.astype(float) ** 2, minlength=vectors.shape[0])
    vectors.data /= np.sqrt(np.where(squares > 0, squares, 1))[rows]
    return vectors
