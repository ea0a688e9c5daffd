"""Which words of a list are spelt nearly alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Similar(NamedTuple):
    """Words by their place in the list, and how similar each is, above 0 to 1."""

    places: NDArray[np.intp]
    similarities: NDArray[np.float64]


class SpellingIndex:
    """Finds the words of a list that share character n-grams with a given word, boundaries included.

    Args:
        words: the list; empty strings are like nothing.
        smallest, largest: the sizes of the n-grams, in characters.
    """

    def __init__(self, words: Sequence[str], smallest: int, largest: int) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        self._vectorizer = CountVectorizer(
            analyzer="char_wb", ngram_range=(smallest, largest), lowercase=False, binary=True, dtype=np.int32
        )
        # One n-gram more, so that a list of empty strings is a list too.
        ngrams: Any = self._vectorizer.fit_transform([*words, "\0"])[:-1]
        self._words_by_ngram = ngrams.T.tocsr()
        self._sizes = np.asarray(ngrams.sum(axis=1)).ravel()
        self._count = self._vectorizer.build_analyzer()

    def similar(self, words: Sequence[str], threshold: float) -> list[Similar]:
        """Return for each of `words` those of the list with a Dice coefficient of n-grams of at least `threshold`."""
        shared = (self._vectorizer.transform(words) @ self._words_by_ngram).tocsr()
        found = []
        for row, word in enumerate(words):
            places = shared.indices[shared.indptr[row] : shared.indptr[row + 1]]
            counts = shared.data[shared.indptr[row] : shared.indptr[row + 1]]
            dice = 2 * counts / (len(set(self._count(word))) + self._sizes[places])
            near = dice >= threshold
            found.append(Similar(places[near].astype(np.intp), dice[near]))
        return found
