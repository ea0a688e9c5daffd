"""Chunks by the words that they hold, and what they belong to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import bm25s
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from rag_app.retrievers.bm25.counting import WordCounts
from rag_app.retrievers.labels import Labels
from rag_app.schema import RetrievalQuery
from rag_app.storage.chunks import ChunkTokens

_CELLS = 2_000_000  # of words by chunks, that are in memory at once: 16 MB
_RARE = 256  # chunks


class Asked(NamedTuple):
    """A word of a question, and where in the vocabulary the words are that it may stand for."""

    weight: float
    places: NDArray[np.int32]
    similarities: NDArray[np.float64]


class Segment:
    """Some chunks of a tenant, those of a parent side by side, in a form that is searched.

    Args:
        chunks: at least one.
        counts: the words of their tokens.
        places: the place in the vocabulary of each of these words.
        vocabulary: the place of every word.
    """

    def __init__(
        self,
        chunks: Sequence[ChunkTokens],
        counts: WordCounts,
        places: NDArray[np.int32],
        vocabulary: Mapping[str, int],
    ) -> None:
        self.bm25 = _bm25(counts, places, vocabulary)
        self._node_ids = np.array([chunk.node_id.encode() for chunk in chunks])
        self._sources = Labels([chunk.source for chunk in chunks])
        self._documents = Labels([chunk.doc_id for chunk in chunks])
        parents = np.fromiter((hash(chunk.parent_id) for chunk in chunks), np.int64, len(chunks))
        self._parent_starts = np.flatnonzero(np.r_[True, parents[1:] != parents[:-1]]).astype(np.int32)
        scores = self.bm25.scores
        self._starts, self._chunks, self._scores = scores["indptr"], scores["indices"], scores["data"]

    @property
    def nbytes(self) -> int:
        """The memory of the arrays, in bytes."""
        arrays = (self._node_ids, self._parent_starts, self._starts, self._chunks, self._scores)
        return sum(array.nbytes for array in arrays) + self._sources.nbytes + self._documents.nbytes

    def __len__(self) -> int:
        return len(self._node_ids)

    def node_id(self, chunk: int) -> str:
        """Return the id of a chunk."""
        return str(self._node_ids[chunk].decode())

    def of_documents(self, doc_ids: Collection[str]) -> NDArray[np.bool_]:
        """Tell which chunks belong to one of the documents."""
        return self._documents.among(doc_ids)

    def chunks_with(self, among: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
        """Return for each word of the vocabulary how many chunks, of those that are `among`, hold it."""
        if among is None:
            return np.diff(self._starts)
        (entries,) = np.nonzero(among[self._chunks])
        return np.diff(np.searchsorted(entries, self._starts)).astype(np.int32)

    def scores(self, asked: Sequence[Asked], query: RetrievalQuery) -> NDArray[np.float64]:
        """Return what each chunk holds of the words, 0 if it shares none or the query's filters leave it out."""
        own, of_parent = np.zeros(len(self)), np.zeros(len(self._parent_starts))
        are_alone = len(of_parent) == len(own)  # each chunk is its parent's only one
        at_once = max(1, _CELLS // len(self))
        for start in range(0, len(asked), at_once):
            words = asked[start : start + at_once]
            held = self._held(words)
            own += held.sum(axis=0)
            if not are_alone:
                of_parent += np.maximum.reduceat(held, self._parent_starts, axis=1).sum(axis=0)
        if are_alone:
            scores = 2 * own
        else:
            sizes = np.diff(np.r_[self._parent_starts, len(self)])
            scores = np.where(own > 0, own + np.repeat(of_parent, sizes), 0.0)
        if query.sources is not None:
            scores[~self._sources.among(query.sources)] = 0.0
        if query.doc_ids is not None:
            scores[~self._documents.among(query.doc_ids)] = 0.0
        return scores

    def _held(self, asked: Sequence[Asked]) -> NDArray[np.float64]:
        """Return for each word how much of its weight each chunk holds, more than all for a word that it repeats."""
        places = np.concatenate([word.places for word in asked])
        weights = np.concatenate([word.weight * word.similarities for word in asked])
        rows = np.repeat(np.arange(len(asked)) * len(self), [len(word.places) for word in asked])
        known = places < len(self._starts) - 1
        places, weights, rows = places[known], weights[known], rows[known]
        starts = self._starts[places]
        lengths = self._starts[places + 1] - starts
        # The words of a question bring their own weights, so the one that BM25 multiplied in is divided out.
        weights /= _idf(lengths, len(self))
        held = np.zeros(len(asked) * len(self))
        # Rare words together: there are many, and each alone would cost more than its few entries are worth.
        rare = lengths <= _RARE
        cells, values = self._entries(starts[rare], lengths[rare], rows[rare], weights[rare])
        while len(cells):  # of what a word may stand for, the best is to stay; few chunks hold two of them
            held[cells] = values
            better = held[cells] < values
            cells, values = cells[better], values[better]
        frequent = (each[~rare].tolist() for each in (starts, lengths, rows, weights))
        for start, length, row, weight in zip(*frequent, strict=True):
            own, chunks = held[row : row + len(self)], self._chunks[start : start + length]
            own[chunks] = np.maximum(own[chunks], weight * self._scores[start : start + length])
        return held.reshape(len(asked), len(self))

    def _entries(
        self, starts: NDArray[Any], lengths: NDArray[Any], rows: NDArray[Any], weights: NDArray[Any]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return where in the rows the entries of several words belong, and their weighted scores."""
        entries = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        return np.repeat(rows, lengths) + self._chunks[entries], np.repeat(weights, lengths) * self._scores[entries]


def _bm25(counts: WordCounts, places: NDArray[np.int32], vocabulary: Mapping[str, int]) -> bm25s.BM25:
    """Return what `bm25s.BM25.index` makes of the tokens, with the places in the vocabulary as their ids."""
    bm25 = bm25s.BM25()
    texts = len(counts.lengths)
    saturation = counts.times / (
        counts.times + bm25.k1 * (1 - bm25.b + bm25.b * counts.lengths / max(counts.lengths.mean(), 1e-9))[counts.text]
    )
    texts_with = np.bincount(counts.word, minlength=len(places))
    scores = (saturation * _idf(texts_with, texts)[counts.word]).astype(np.float32)
    # Converting from coordinates sorts by word in linear time and keeps the order of the texts.
    by_word = csr_matrix((scores, (places[counts.word], counts.text)), shape=(len(vocabulary), texts))
    bm25.scores = {
        "data": by_word.data,
        "indices": by_word.indices.astype(np.min_scalar_type(texts)),
        "indptr": by_word.indptr,
        "num_docs": texts,
    }
    bm25.nonoccurrence_array = None
    bm25.vocab_dict = vocabulary
    bm25.unique_token_ids_set = range(len(vocabulary))
    return bm25


def _idf(texts_with: NDArray[Any], texts: int) -> NDArray[np.float64]:
    """Return the weight of words in Lucene's BM25, which is the one of bm25s."""
    idf: NDArray[np.float64] = np.log(1 + (texts - texts_with + 0.5) / (texts_with + 0.5))
    return idf
