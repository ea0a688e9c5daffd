"""What a word of a question may stand for among the words of a tenant's texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.finglish import most_alike
from rag_app.persian.inflection import possible_stems, stem
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.match_memory import MatchMemory
from rag_app.persian.spelling import Similar, SimilarToEach
from rag_app.persian.weights import is_known
from rag_app.persian.words import Words

LATIN = re.compile(r"[a-z]+")
_SIMILAR_SPELLING = 0.3  # Dice coefficient of n-grams
_SIMILAR_SOUND = 0.6
_SAME_STEM = 0.95
_SYNONYM = 0.8
_SLIP = 0.9  # the best match of a word that nobody knows
_ABOUT_EQUAL = 0.08
_REMEMBERED = 0.5  # of the memory of the words, for what words were found to stand for
_stem = lru_cache(maxsize=4096)(stem)  # synonyms, and the common words of questions, come again and again


class WordMatcher:
    """Finds the words that a word of a question may stand for, and remembers them.

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
        self._own_nbytes = counts.nbytes + words.nbytes_beyond(lexicon.words)
        self._told = MatchMemory(int(_REMEMBERED * self._own_nbytes))

    @property
    def nbytes(self) -> int:
        """The memory of what it does not share with the lexicon, in bytes, and of what it may come to remember."""
        return self._own_nbytes + self.to_remember

    @property
    def to_remember(self) -> int:
        """The memory set aside for what words of questions were found to stand for, in bytes."""
        return self._told.max_bytes

    def place(self, word: str) -> int | None:
        """Return where a word of the texts or the lexicon is among the words; None if it is of neither."""
        place = self._words.get(word)
        return place if place is not None and self._is_there(place) else None

    def count(self, word: str) -> int:
        """Return in how many texts a word occurs."""
        place = self._words.get(word)
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

    def matches(self, typed: Sequence[str], places: Sequence[int | None], *, english: bool) -> list[dict[int, float]]:
        """Return for each word of a question the places of the words that it may stand for, with their similarities.

        Args:
            typed: the words.
            places: their own.
            english: whether the question is, so that a word in Latin letters that the texts hold is not Persian.
        """
        found = self._newly_alike(typed, places, english=True) if english else self._alike(typed, places)
        self._add_joined(typed, found)
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

    def _alike(self, typed: Sequence[str], places: Sequence[int | None]) -> list[dict[int, float]]:
        """Return the matches of each word by itself, remembered or found."""
        found = [self._told.get(word) for word in typed]
        new = [at for at, matches in enumerate(found) if matches is None]
        if new:
            alike = self._newly_alike([typed[at] for at in new], [places[at] for at in new], english=False)
            for at, matches in zip(new, alike, strict=True):
                self._told.keep(typed[at], matches)
                found[at] = matches
        return [matches or {} for matches in found]

    def _newly_alike(
        self, typed: Sequence[str], places: Sequence[int | None], *, english: bool
    ) -> list[dict[int, float]]:
        """Find the matches of each word by itself."""
        found: list[dict[int, float]] = [{} for _ in typed]
        spelt = self.spelt_like([word if word.isalpha() else "" for word in typed])  # a number stands for itself alone
        for owner, like, similarity in zip(
            spelt.owners.tolist(), spelt.places.tolist(), (spelt.similarities**2).tolist(), strict=True
        ):
            found[owner][like] = similarity
        for word, place, matches in zip(typed, places, found, strict=True):
            if word.isalpha():
                _raise(matches, self.forms(word), _SAME_STEM)
                if LATIN.fullmatch(word):
                    if not (english and place is not None):
                        self._add_sounds(word, matches)
                elif place is None and not is_known(word):
                    self._add_meant(word, matches)
            if place is not None:
                matches[place] = 1.0
            self._add_synonyms(word, place, matches)
        return found

    def _add_sounds(self, word: str, matches: dict[int, float]) -> None:
        every = self._words.sharing_consonants(word)
        held = self._are_there(every.places)
        found = Similar(every.places[held], every.similarities[held])
        places = found.places[most_alike(found, self._counts[found.places], self._words.hashes(found.places))]
        for place, similarity in zip(
            places.tolist(), self._words.sound_similarities(word, places).tolist(), strict=True
        ):
            if similarity >= _SIMILAR_SOUND:
                _raise(matches, (place,), similarity**2)

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

    def _add_joined(self, typed: Sequence[str], matches: list[dict[int, float]]) -> None:
        """Let two words also stand for the one that they make together, and for its synonyms: «ثبت نام»."""
        for at, (first, second) in enumerate(pairwise(typed)):
            joined = first + second
            place = self.place(joined)
            synonyms = [self.forms(synonym) for synonym in self._lexicon.synonyms(joined)]
            for one in (matches[at], matches[at + 1]):
                if place is not None:
                    _raise(one, (place,), _SAME_STEM)
                for forms in synonyms:
                    _raise(one, forms, _SYNONYM)


def about_best(matches: Mapping[int, float]) -> list[int]:
    """Return the places of the most similar matches and of those about as similar."""
    least = max(matches.values(), default=0.0) - _ABOUT_EQUAL
    return [place for place, similarity in matches.items() if similarity >= least]


def _raise(matches: dict[int, float], places: Iterable[int], similarity: float) -> None:
    """Give the places at least this similarity."""
    for place in places:
        matches[place] = max(matches.get(place, 0.0), similarity)
