"""The words that a question may hold, and how to find those like another: by spelling, by stem, by sound."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.finglish import FinglishIndex, consonants, sound_similarities
from rag_app.persian.inflection import stem
from rag_app.persian.packed import PackedWords, hash_of
from rag_app.persian.spelling import Ngrams, SimilarToEach, SpellingIndex

NGRAMS = (2, 4)


class _Layer:
    """Words in the order of their hashes, which is the same in every process, and all that finds them."""

    def __init__(self, words: PackedWords, hashes: NDArray[np.uint64]) -> None:
        self.words = words
        self.hashes = hashes
        self._hashes = hashes.data
        stems = np.fromiter(map(hash, map(stem, words.unpacked())), np.int64, len(words))
        by_stem = np.argsort(stems, kind="stable")
        self._stems = stems[by_stem].data
        self._by_stem = by_stem.astype(np.min_scalar_type(len(words)))
        self.spelling = SpellingIndex(words, *NGRAMS)
        self.finglish = FinglishIndex(words)
        self.nbytes = words.nbytes + hashes.nbytes + stems.nbytes + self._by_stem.nbytes
        self.nbytes += self.spelling.nbytes + self.finglish.nbytes

    def __len__(self) -> int:
        return len(self.words)

    def place(self, hashed: int) -> int | None:
        at = bisect_left(self._hashes, hashed)
        return at if at < len(self._hashes) and self._hashes[at] == hashed else None

    def places(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the place of each, -1 where there is none."""
        if not len(self):
            return np.full(len(hashes), -1, np.int32)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self) - 1)
        return np.where(self.hashes[at] == hashes, at, -1).astype(np.int32)

    def of_stem(self, key: int) -> list[int]:
        places = []
        at = bisect_left(self._stems, key)
        while at < len(self._stems) and self._stems[at] == key:
            places.append(int(self._by_stem[at]))
            at += 1
        return places


class Words(Mapping[str, int]):
    """Distinct words by their place; more are added without changing or copying what is there.

    Two words count as one if `hash_of` does not tell them apart.
    """

    def __init__(self, layers: Sequence[_Layer] = ()) -> None:
        self._layers = tuple(layers)
        offsets: list[int] = np.cumsum([0, *map(len, layers)]).tolist()
        self._length = offsets.pop()
        self._placed = tuple(zip(layers, offsets, strict=True))  # with the place of the first word of each

    def with_more(self, words: PackedWords) -> Words:
        """Return these words and after them those of `words` that are new; an empty one is none."""
        hashes, first = np.unique(words.hashes(), return_index=True)
        new = (hashes > 0) & (self.places(hashes) < 0)
        return Words((*self._layers, _Layer(words.take(first[new]), hashes[new])))

    def __len__(self) -> int:
        return int(self._length)

    def __iter__(self) -> Iterator[str]:
        for layer in self._layers:
            yield from layer.words.unpacked()

    def __getitem__(self, word: str) -> int:
        place = self.place(word)
        if place is None:
            raise KeyError(word)
        return place

    def place(self, word: str) -> int | None:
        """Return the place of a word, None if it is not there."""
        hashed = hash_of(word)
        for layer, offset in self._placed:
            if (place := layer.place(hashed)) is not None:
                return offset + place
        return None

    def nbytes_beyond(self, base: Words) -> int:
        """Return the memory in bytes of what was added to `base`."""
        return sum(layer.nbytes for layer in self._layers[len(base._layers) :])

    def text(self, place: int) -> str:
        """Return the word at `place`."""
        layer, offset = next((layer, offset) for layer, offset in reversed(self._placed) if offset <= place)
        return layer.words[place - offset]

    def texts(self, places: NDArray[np.intp]) -> list[str]:
        """Return the words at `places`, which rise."""
        return [text for part in self._taken(places) for text in part.unpacked()]

    def find(self, words: Iterable[str]) -> NDArray[np.int32]:
        """Return the place of each of `words`, -1 for those that are not there."""
        return self.places(PackedWords.of(words).hashes())

    def places(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the places of words by their `hash_of`, -1 for those that are not there."""
        places = np.full(len(hashes), -1, np.int32)
        for layer, offset in self._placed:
            found = layer.places(hashes)
            places[found >= 0] = found[found >= 0] + offset
        return places

    def hashes(self, places: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Return the `hash_of` those at `places`."""
        hashes = np.zeros(len(places), np.uint64)
        for layer, offset in self._placed:
            own = (places >= offset) & (places < offset + len(layer))
            hashes[own] = layer.hashes[places[own] - offset]
        return hashes

    def of_stem(self, stemmed: str) -> list[int]:
        """Return the places of the words of a stem."""
        key = hash(stemmed)
        return [offset + place for layer, offset in self._placed for place in layer.of_stem(key)]

    def spelt_like(self, words: Sequence[str], threshold: float) -> SimilarToEach:
        """Return those with a Dice coefficient of n-grams of at least `threshold` to any of `words`."""
        asked = Ngrams(words, range(NGRAMS[0], NGRAMS[1] + 1))
        return self._joined([layer.spelling.similar_to_each(asked, threshold) for layer in self._layers])

    def sharing_consonants(self, typed: Sequence[str]) -> SimilarToEach:
        """Return those that share some consonants with each word in Latin letters, and how many of them."""
        asked = consonants(typed)
        return self._joined([layer.finglish.candidates(asked) for layer in self._layers])

    def sound_similarities(
        self, typed: Sequence[str], owners: NDArray[np.intp], places: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return how well words in Latin letters, `typed[owners[n]]`, write those at `places[n]`."""
        order = np.argsort(places)
        parts = self._taken(places[order])
        similarities = np.zeros(len(places))
        if parts:
            similarities[order] = sound_similarities(typed, owners[order], PackedWords.joined(parts))
        return similarities

    def _joined(self, found: Sequence[SimilarToEach]) -> SimilarToEach:
        """Return as one what was found in each layer."""
        return SimilarToEach.joined(
            [each._replace(places=each.places + offset) for each, (_, offset) in zip(found, self._placed, strict=True)]
        )

    def _taken(self, places: NDArray[np.intp]) -> list[PackedWords]:
        """Return the words at `places`, which rise, layer by layer."""
        parts = []
        for layer, offset in self._placed:
            first, last = np.searchsorted(places, (offset, offset + len(layer)))
            if first < last:
                parts.append(layer.words.take(places[first:last] - offset))
        return parts
