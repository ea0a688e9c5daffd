"""Which words of a list are spelt nearly alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.packed import SPACE, PackedWords

_NO_LETTER = 254  # the code of letters that the list does not hold
_COUNTED_TOGETHER = 1 << 14  # a count for each word of the list; more than a processor's cache holds would be slower


class SimilarToEach(NamedTuple):
    """Words of a list that are similar to some: `similarities[n]` is that of `places[n]` to the one at `owners[n]`.

    Similarities are above 0, at most 1.
    """

    owners: NDArray[np.intp]
    places: NDArray[np.intp]
    similarities: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[SimilarToEach]) -> SimilarToEach:
        """Return those of all parts."""
        return cls(*map(np.concatenate, zip(*parts, strict=True))) if parts else _NONE


_NONE = SimilarToEach(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))


class Ngrams:
    """The n-grams of a few words, to be looked up in several indexes.

    Args:
        words: each of which counts an n-gram that it repeats once.
        sizes: of the n-grams, in UTF-16 units; at most 4.
    """

    def __init__(self, words: Sequence[str], sizes: range) -> None:
        # For the few words of a question this takes less time than `_ngrams` does, which is for whole vocabularies.
        ngrams = [_ngrams_of(word, sizes) for word in words]
        self.sizes = [len(each) for each in ngrams]
        self.bounds = [0, *accumulate(self.sizes)]
        self.values = np.frombuffer(b"".join([ngram for each in ngrams for ngram in each]), np.uint64)


class SpellingIndex:
    """Finds the words of a list that share character n-grams with a given word, boundaries included.

    Args:
        words: the list; empty strings are like nothing.
        smallest, largest: the sizes of the n-grams, in UTF-16 units; at most 4, which fill a number of 64 bits.
    """

    def __init__(self, words: PackedWords, smallest: int, largest: int) -> None:
        ngrams, places = _ngrams(words, range(smallest, largest + 1))
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

    def similar_to_each(self, asked: Ngrams, threshold: float) -> SimilarToEach:
        """Return the words with a Dice coefficient of n-grams of at least `threshold` to each of those `asked`."""
        coded = self._coded(asked.values)
        found = np.searchsorted(self._ngrams, coded)
        known = self._ngrams[found] == coded
        found, owners = found[known], np.repeat(np.arange(len(asked.sizes)), asked.sizes)[known]
        starts, ends = self._starts[found].astype(np.intp), self._starts[found + 1].astype(np.intp)
        holders = [self._places[first:last] for first, last in zip(starts.tolist(), ends.tolist(), strict=True)]
        bounds = np.append(0, np.cumsum(known))[asked.bounds].tolist()
        sizes, length = np.array(asked.sizes), len(self._sizes)
        least = np.ceil(np.maximum(threshold * sizes, 1) / 2).astype(np.intp)
        together = max(1, _COUNTED_TOGETHER // max(1, length))
        pairs, shared = [], []  # a pair is the number of a word times the length of the list and a place in it
        for begin in range(0, len(sizes), together):
            end = min(begin + together, len(sizes))
            some = slice(bounds[begin], bounds[end])
            if not holders[some]:
                continue
            held = np.concatenate(holders[some])
            if together > 1:
                held = held + np.repeat(owners[some] * length - begin * length, (ends - starts)[some])
            counts = np.bincount(held, minlength=(end - begin) * length)
            (near,) = (counts.reshape(-1, length) >= least[begin:end, None]).ravel().nonzero()
            pairs.append(near + begin * length)
            shared.append(counts[near])
        if not pairs:
            return _NONE
        of_words, places = np.divmod(np.concatenate(pairs), length)
        dice = 2 * np.concatenate(shared) / (sizes[of_words] + self._sizes[places])
        alike = dice >= threshold
        return SimilarToEach(of_words[alike], places[alike], dice[alike])


def _ngrams_of(word: str, sizes: range) -> set[bytes]:
    """Return the n-grams of a word between two spaces, each in the bytes of its number."""
    if not word:
        return set()
    units = f" {word} ".encode("utf-16-le", "surrogatepass")
    return {
        units[start : start + 2 * size].ljust(8, b"\0")
        for size in sizes
        for start in range(0, len(units) - 2 * size + 2, 2)
    }


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
