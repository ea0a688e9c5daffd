"""The words that a word of a question may stand for, as places in a vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.words import Words


class Matches(Mapping[str, float]):
    """How similar some words of a vocabulary are; their letters are looked up when somebody asks for them.

    Args:
        words: the vocabulary.
        places: where in it they are, each once.
        similarities: above 0 to 1, one for each.
        spelt_out: gives the letters of each place, of others too.
    """

    def __init__(
        self,
        words: Words,
        places: NDArray[np.int32],
        similarities: NDArray[np.float64],
        spelt_out: Callable[[], Mapping[int, str]],
    ) -> None:
        self.words = words
        self.places = places
        self.similarities = similarities
        self._spelt_out = spelt_out

    def __getitem__(self, word: str) -> float:
        return self._by_word[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_word)

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def _by_word(self) -> dict[str, float]:
        texts = self._spelt_out()
        return {
            texts[place]: value for place, value in zip(self.places.tolist(), self.similarities.tolist(), strict=True)
        }


def placed(words: Words, matches: Mapping[str, float]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return where the matches are in a vocabulary, which may be another one, and their similarities."""
    if isinstance(matches, Matches) and matches.words is words:
        return matches.places, matches.similarities
    places = words.find(matches)
    similarities = np.fromiter(matches.values(), np.float64, len(places))
    return places[places >= 0], similarities[places >= 0]
