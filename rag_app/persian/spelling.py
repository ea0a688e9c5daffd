"""Which words of a list are spelt nearly alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.packed import SPACE, PackedWords

_NO_LETTER = 254  # the code of letters that the list does not hold


class Similar(NamedTuple):
    """Words by their place in the list, and how similar each is, above 0 to 1."""

    places: NDArray[np.intp]
    similarities: NDArray[np.float64]


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
        self._letters = np.unique(np.append(ngrams.view(np.uint16), 0).astype(np.uint16))  # 0 is behind a short n-gram
        coded = self._coded(ngrams[starts])
        self._ngrams = np.append(coded, np.iinfo(coded.dtype).max).astype(coded.dtype)  # the last one is none
        self._starts = np.r_[starts, len(ngrams)].astype(np.min_scalar_type(len(ngrams)))
        self._places = places.astype(np.min_scalar_type(len(words)))
        sizes = np.bincount(places, minlength=len(words))
        self._sizes = sizes.astype(np.min_scalar_type(sizes.max(initial=0)))
        arrays = (self._letters, self._ngrams, self._starts, self._places, self._sizes)
        self.nbytes = sum(array.nbytes for array in arrays)

    def _coded(self, ngrams: NDArray[np.uint64]) -> NDArray[np.unsignedinteger[Any]]:
        """Return the n-grams in half the memory and the same order if the list has few letters, as languages do."""
        if len(self._letters) > _NO_LETTER:
            return ngrams
        units = ngrams.view(np.uint16)
        codes = np.searchsorted(self._letters, units).astype(np.uint8)
        codes[self._letters[np.minimum(codes, len(self._letters) - 1)] != units] = _NO_LETTER
        return codes.view(np.uint32)

    def similar(self, words: Sequence[str], threshold: float) -> list[Similar]:
        """Return for each of `words` those of the list with a Dice coefficient of n-grams of at least `threshold`."""
        ngrams, owners = _ngrams(PackedWords.of(words), self._sizes_of_ngrams)
        sizes = np.bincount(owners, minlength=len(words))
        coded = self._coded(ngrams)
        found = np.searchsorted(self._ngrams, coded)
        known = np.flatnonzero(self._ngrams[found] == coded)
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
    units = np.full(len(words.units) + 1, SPACE, np.uint64)
    units[1:] = words.units
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
    once = np.ones(len(every), np.bool_)
    once[1:] = (every[1:] != every[:-1]) | (of_words[1:] != of_words[:-1])
    return every[once], of_words[once]
