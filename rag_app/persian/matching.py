"""What a word of a question may stand for among the words of a tenant's texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.finglish import most_alike
from rag_app.persian.inflection import possible_stems, stem
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.remembered import remembered
from rag_app.persian.spelling import SimilarToEach
from rag_app.persian.weights import is_known
from rag_app.persian.word_memory import Asked
from rag_app.persian.words import Words

LATIN = re.compile(r"[a-z]+")
_SIMILAR_SPELLING = 0.3  # Dice coefficient of n-grams
_SIMILAR_SOUND = 0.6
_SAME_STEM = 0.95
_SYNONYM = 0.8
_SLIP = 0.9  # the best match of a word that nobody knows
_ABOUT_EQUAL = 0.08
_stem = remembered(stem)


class WordMatcher:
    """Finds the words that a word of a question may stand for.

    It may stand for the same word, a form of it (one stem), one spelt alike (the square of the Dice coefficient of
    character n-grams), one that sounds so in Latin letters, or a synonym. A word that nobody knows is a slip: the word
    nearest to it counts nearly as itself.

    Args:
        words: those of the lexicon, and after them those of the texts.
        counts: in how many texts each occurs; one of no text counts only if the lexicon has it.
        lexicon: synonyms.
    """

    def __init__(self, words: Words, counts: NDArray[np.int32], lexicon: Lexicon) -> None:
        self._words = words
        self._counts = counts
        self._count_at = counts.data  # gives single ones in a fraction of the time
        self._lexicon = lexicon
        self._lexicon_size = len(lexicon.words)

    def place(self, word: str) -> int | None:
        """Return where a word of the texts or the lexicon is among the words; None if it is of neither."""
        place = self._words.place(word)
        return place if place is not None and self._is_there(place) else None

    def count(self, word: str) -> int:
        """Return in how many texts a word occurs."""
        place = self._words.place(word)
        return self._count_at[place] if place is not None else 0

    def forms(self, word: str) -> list[int]:
        """Return the places of the words that have the same stem as `word`."""
        return self._of_stem(_stem(word))

    def base(self, word: str) -> str | None:
        """Return the word that an unknown one may be a form of."""
        bases = possible_stems(word)
        return next((base for base in bases if self._of_stem(base) or is_known(base)), None)

    def spelt_like(self, words: Sequence[str]) -> SimilarToEach:
        """Return for each word those that are spelt alike, with the Dice coefficients of their n-grams."""
        found = self._words.spelt_like(words, _SIMILAR_SPELLING)
        held = self._are_there(found.places)
        return SimilarToEach(found.owners[held], found.places[held], found.similarities[held])

    def joined(self, typed: Sequence[str]) -> list[tuple[str, ...]]:
        """Return for each word of a question what it makes with its neighbours, where that is a word: «ثبت نام»."""
        joined: list[tuple[str, ...]] = [()] * len(typed)
        for at, (first, second) in enumerate(pairwise(typed)):
            both = first + second
            if self.place(both) is not None or self._lexicon.synonyms(both):
                joined[at] += (both,)
                joined[at + 1] += (both,)
        return joined

    def matches(self, asked: Sequence[Asked], places: Sequence[int | None]) -> list[dict[int, float]]:
        """Return for each word the places of the words that it may stand for, with their similarities.

        Args:
            asked: the words.
            places: their own.
        """
        found: list[dict[int, float]] = [{} for _ in asked]
        # A number stands for itself alone.
        spelt = self.spelt_like([word if word.isalpha() else "" for word, *_ in asked])
        for owner, like, similarity in zip(
            spelt.owners.tolist(), spelt.places.tolist(), (spelt.similarities**2).tolist(), strict=True
        ):
            found[owner][like] = similarity
        self._add_sounds(asked, places, found)
        for (word, joined, _), place, matches in zip(asked, places, found, strict=True):
            if word.isalpha():
                _raise(matches, self.forms(word), _SAME_STEM)
                if place is None and not LATIN.fullmatch(word) and not is_known(word):
                    self._add_meant(word, matches)
            if place is not None:
                matches[place] = 1.0
            self._add_synonyms(word, place, matches)
            for both in joined:
                self._add_joined(both, matches)
        return found

    def best(self, matches: Mapping[int, float]) -> int | None:
        """Return the most similar match; of about equal ones the most frequent."""
        if not matches:
            return None
        least = max(matches.values()) - _ABOUT_EQUAL / 4
        near = [
            (self._count_at[place], similarity, place) for place, similarity in matches.items() if similarity >= least
        ]
        if len(near) == 1:
            return near[0][2]
        best = max(near)[:2]
        equal = np.array([place for *count_and_similarity, place in near if tuple(count_and_similarity) == best])
        return int(equal[np.argmin(self._words.hashes(equal))] if len(equal) > 1 else equal[0])

    def _is_there(self, place: int) -> bool:
        """Tell whether a place is that of a word of the texts or the lexicon, and not of texts that are gone."""
        return place < self._lexicon_size or self._count_at[place] > 0

    def _are_there(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        there: NDArray[np.bool_] = (self._counts[places] > 0) | (places < self._lexicon_size)
        return there

    def _of_stem(self, stemmed: str) -> list[int]:
        return [place for place in self._words.of_stem(stemmed) if self._is_there(place)]

    def _add_sounds(
        self, asked: Sequence[Asked], places: Sequence[int | None], found: Sequence[dict[int, float]]
    ) -> None:
        """Let words in Latin letters stand for those that sound so; a word of the texts in English is no Persian."""
        latin = [
            at
            for at, (each, place) in enumerate(zip(asked, places, strict=True))
            if LATIN.fullmatch(each.word) and not (each.english and place is not None)
        ]
        if not latin:
            return
        typed = [asked[at].word for at in latin]
        owners, likely = self._sounding_alike(typed)
        similarities = self._words.sound_similarities(typed, owners, likely)
        (alike,) = np.nonzero(similarities >= _SIMILAR_SOUND)
        for owner, place, similarity in zip(
            owners[alike].tolist(), likely[alike].tolist(), (similarities[alike] ** 2).tolist(), strict=True
        ):
            _raise(found[latin[owner]], (place,), similarity)

    def _sounding_alike(self, typed: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which words to compare letter by letter with which of `typed`, as the numbers and places of both."""
        every = self._words.sharing_consonants(typed)
        (held,) = np.nonzero(self._are_there(every.places))
        held = held[np.argsort(every.owners[held], kind="stable")]
        owners, places, shared = every.owners[held], every.places[held], every.similarities[held]
        counts, hashes = self._counts[places], self._words.hashes(places)
        bounds = np.searchsorted(owners, np.arange(len(typed) + 1)).tolist()
        likely = np.zeros(len(owners), np.bool_)
        for first, last in pairwise(bounds):
            likely[first + most_alike(shared[first:last], counts[first:last], hashes[first:last])] = True
        return owners[likely], places[likely]

    def _add_meant(self, word: str, matches: dict[int, float]) -> None:
        """Take an unknown word for a form of one that is known, else for a slip."""
        base = self.base(word)
        if base is not None:
            _raise(matches, self.forms(base), _SLIP)
            self._add_synonyms(base, self.place(base), matches)
        elif matches:
            raised = max(1.0, _SLIP / max(matches.values()))
            matches.update({place: similarity * raised for place, similarity in matches.items()})

    def _add_synonyms(self, word: str, place: int | None, matches: dict[int, float]) -> None:
        """Let a word, which is at `place`, also stand for its synonyms and those of the word that it most likely is."""
        synonyms = self._lexicon.synonyms(word)
        best = self.best(matches)
        if best is not None and best != place and matches[best] >= _SLIP**2:
            synonyms |= self._lexicon.synonyms(self._words.text(best))
        for synonym in synonyms:
            _raise(matches, self.forms(synonym), _SYNONYM)

    def _add_joined(self, joined: str, matches: dict[int, float]) -> None:
        """Let a word also stand for what it makes with another one, and for the synonyms of that."""
        place = self.place(joined)
        if place is not None:
            _raise(matches, (place,), _SAME_STEM)
        for synonym in self._lexicon.synonyms(joined):
            _raise(matches, self.forms(synonym), _SYNONYM)


def about_best(matches: Mapping[int, float]) -> list[int]:
    """Return the places of the most similar matches and of those about as similar."""
    least = max(matches.values(), default=0.0) - _ABOUT_EQUAL
    return [place for place, similarity in matches.items() if similarity >= least]


def _raise(matches: dict[int, float], places: Iterable[int], similarity: float) -> None:
    """Give the places at least this similarity."""
    for place in places:
        matches[place] = max(matches.get(place, 0.0), similarity)
