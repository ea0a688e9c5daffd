"""Which words of a list are spelt nearly alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.packed import SPACE, PackedWords


class Similar(NamedTuple):
    """Words by their place in the list, and how similar each is, above 0 to 1."""

    places: NDArray[np.intp]
    similarities: NDArray[np.float64]


# Greater than all that words have: U+FFFF is no character.
_NO_NGRAM = np.uint64(2**64 - 1)


class SpellingIndex:
    """Finds the words of a list that share character n-grams with a given word, boundaries included.

    Args:
        words: the list; empty strings are like nothing.
        smallest, largest: the sizes of the n-grams, in UTF-16 units; at most 4, which fill a number of 64 bits.
    """

    def __init__(self, words: PackedWords, smallest: int, largest: int) -> None:
        self._sizes_of_ngrams = range(smallest, largest + 1)
        ngrams, places = _ngrams(words, self._sizes_of_ngrams)
        starts = np.flatnonzero(np.r_[True, ngrams[1:] != ngrams[:-1]][: len(ngrams)])
        self._ngrams = np.append(ngrams[starts], _NO_NGRAM)
        self._starts = np.r_[starts, len(ngrams)].astype(np.int32)
        self._places = places.astype(np.min_scalar_type(len(words)))
        sizes = np.bincount(places, minlength=len(words))
        self._sizes = sizes.astype(np.min_scalar_type(sizes.max(initial=0)))
        self.nbytes = self._ngrams.nbytes + self._starts.nbytes + self._places.nbytes + self._sizes.nbytes

    def similar(self, words: Sequence[str], threshold: float) -> list[Similar]:
        """Return for each of `words` those of the list with a Dice coefficient of n-grams of at least `threshold`."""
        ngrams, owners = _ngrams(PackedWords.of(words), self._sizes_of_ngrams)
        sizes = np.bincount(owners, minlength=len(words))
        found = np.searchsorted(self._ngrams, ngrams)
        known = np.flatnonzero(self._ngrams[found] == ngrams)
        known = known[np.argsort(owners[known], kind="stable")]
        rows = np.split(found[known], np.searchsorted(owners[known], np.arange(1, len(words))))
        return [self._near(row, size, threshold) for row, size in zip(rows, sizes, strict=False)]

    def _near(self, ngrams: NDArray[np.intp], size: int, threshold: float) -> Similar:
        """Return the words near to one that has `size` n-grams, of which the list knows `ngrams`."""
        holders = [self._places[self._starts[ngram] : self._starts[ngram + 1]] for ngram in ngrams]
        shared = np.bincount(np.concatenate(holders)) if holders else np.zeros(0, np.intp)
        places = np.flatnonzero(2 * shared >= max(threshold * size, 1))
        dice = 2 * shared[places] / (size + self._sizes[places].astype(np.intp))
        near = dice >= threshold
        return Similar(places[near], dice[near])


def _ngrams(words: PackedWords, sizes: range) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Return the n-grams of each word between two spaces, as numbers in rising order, and the places of their words.

    An n-gram that a word repeats is there once.
    """
    units = np.r_[SPACE, words.units].astype(np.uint64)
    lengths = words.lengths
    owners = np.repeat(np.arange(len(words), dtype=np.int32), lengths + 1)
    left = np.where(lengths[owners] > 0, words.bounds[1:][owners] + 1 - np.arange(len(owners)), 0)
    ngrams, places = [], []
    for size in sizes:
        starts = np.flatnonzero(left >= size)
        ngrams.append(sum((units[starts + at] << np.uint64(16 * at) for at in range(size)), np.uint64(0)))
        places.append(owners[starts])
    every, of_words = np.concatenate(ngrams), np.concatenate(places)
    order = np.argsort(every, kind="stable")
    every, of_words = every[order], of_words[order]
    once = np.r_[True, (every[1:] != every[:-1]) | (of_words[1:] != of_words[:-1])][: len(every)]
    return every[once], of_words[once]
