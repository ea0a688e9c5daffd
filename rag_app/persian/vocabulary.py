"""The words of a tenant's texts, and what a customer's words may mean among them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.finglish import most_alike
from rag_app.persian.inflection import possible_stems, stem
from rag_app.persian.language import detect_language
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.packed import PackedWords
from rag_app.persian.spelling import Similar
from rag_app.persian.weights import SMALL_WORD_IDF, idf, is_known
from rag_app.persian.words import Words
from rag_app.schema import QueryWord, Reading

_SIMILAR_SPELLING = 0.3  # Dice coefficient of n-grams
_SIMILAR_SOUND = 0.6
_SAME_STEM = 0.95
_SYNONYM = 0.8
_SLIP = 0.9  # the best match of a word that nobody knows
_ABOUT_EQUAL = 0.08
_MOST_MATCHES = 64
_MOST_WORDS = 500  # of a question; a longer text is searched by these, as each costs time
_SHORTEST_PART = 2
_LATIN = re.compile(r"[a-z]+")


class Vocabulary:
    """Reads questions as made of words that the texts hold.

    A word of a question may stand for the same word, a form of it (one stem), one spelt alike (the square of the Dice
    coefficient of character n-grams), one that sounds so in Latin letters, or a synonym. A word that nobody knows is a
    slip: the word nearest to it counts nearly as itself.

    What is equally good is decided by the words alone, so that every process reads the same.

    Args:
        words: those of the lexicon, and after them those of the texts.
        counts: in how many texts each occurs; one of no text counts only if the lexicon has it.
        texts: how many texts there are.
        lexicon: synonyms and courtesies; none if None.
    """

    def __init__(self, words: Words, counts: NDArray[np.int32], texts: int, lexicon: Lexicon | None = None) -> None:
        self._analyzer = PersianAnalyzer()
        self._lexicon = lexicon or Lexicon()
        self.words = words
        self.counts = counts
        self._text_count = texts
        self._rarest = math.log(2 * texts + 2)

    @classmethod
    def of_counts(cls, texts_with: Mapping[str, int], texts: int, lexicon: Lexicon | None = None) -> Vocabulary:
        """Return the vocabulary of texts, given by in how many of them each word occurs."""
        lexicon = lexicon or Lexicon()
        packed = PackedWords.of(texts_with)
        # The words of the lexicon too: a slip or a Latin spelling of one leads to its synonyms.
        words = lexicon.words.with_more(packed)
        counts = np.zeros(len(words) + 1, np.int32)  # one more, for the empty word
        counts[words.places(packed.hashes())] = np.fromiter(texts_with.values(), np.int32, len(texts_with))
        return cls(words, counts[:-1], texts, lexicon)

    @classmethod
    def of_texts(cls, texts: Sequence[Iterable[str]]) -> Vocabulary:
        """Return the vocabulary of a few texts, each given by its words."""
        return cls.of_counts(Counter(word for words in texts for word in set(words)), len(texts))

    @property
    def nbytes(self) -> int:
        """The memory of what it does not share with the lexicon, in bytes."""
        return self.counts.nbytes + self.words.nbytes_beyond(self._lexicon.words)

    def read(self, question: str) -> Reading:
        """Return the question's words, of a very long one the first, with what they may stand for.

        Courtesies are left out.
        """
        asked = self._analyzer.forms(question)
        split = [part for forms in asked[:_MOST_WORDS] for part in self._parts(*forms)]
        typed = self._lexicon.without_courtesies(split)
        matches = self._alike(typed, english=detect_language(question) == "en")
        self._add_joined(typed, matches)
        kept = [self._most_similar(found) for found in matches]
        near = [_about_best(found) for found in matches]
        texts = self._texts({place for places in (*kept, *near) for place in places})
        words = tuple(map(self._word, typed, matches, kept, near, repeat(texts)))
        meant = [word.meant for word in words]
        return Reading(
            words, " ".join([*meant, *(forms[0] for forms in asked[_MOST_WORDS:])]) if meant != typed else question
        )

    def _parts(self, word: str, *parts: str) -> tuple[str, ...]:
        """Return the parts of a word if the texts hold them alone.

        They are those between its half-spaces, or two of a word that nobody knows: a space was left out.
        """
        parts = parts or self._lexicon.parts(word)
        if parts and all(self._count(part) for part in parts):
            return (word,) if any(self.counts[place] for place in self.words.of_stem(stem(word))) else parts
        if self._is_known(word) or _LATIN.fullmatch(word) or not word.isalpha() or self._base(word):
            return (word,)
        cuts = ((word[:at], word[at:]) for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1))
        best = max(cuts, key=lambda cut: min(map(self._count, cut)), default=None)
        if best is None or min(map(self._count, best)) < 2:
            return (word,)
        ((_, alike),) = self._spelt_like([word])
        return (word,) if len(alike) and alike.max() >= 0.7 else best

    def _place(self, word: str) -> int | None:
        place = self.words.get(word)
        return place if place is not None and self._is_there(place) else None

    def _is_there(self, places: Any) -> Any:
        """Tell which places are those of words of the texts or the lexicon, and not of texts that are gone."""
        return (self.counts[places] > 0) | (places < len(self._lexicon.words))

    def _is_known(self, word: str) -> bool:
        return self._place(word) is not None or is_known(word)

    def _forms(self, word: str) -> Iterator[int]:
        """Yield the places of the words that have the same stem as `word`."""
        return self._of_stem(stem(word))

    def _of_stem(self, stemmed: str) -> Iterator[int]:
        return filter(self._is_there, self.words.of_stem(stemmed))

    def _base(self, word: str) -> str | None:
        """Return the word that an unknown one may be a form of."""
        bases = possible_stems(word)
        return next((base for base in bases if next(self._of_stem(base), None) is not None or is_known(base)), None)

    def _weight(self, word: str) -> float:
        """Return how much a word tells by itself.

        The tenant's texts say which words tell them apart; the language keeps chance in a few texts from deciding.
        """
        in_language = idf(word)
        if in_language <= SMALL_WORD_IDF:
            return in_language
        place = self._place(word)
        count = self.counts[place] if place is not None else None
        in_texts = self._rarest if count is None else math.log(1 + (self._text_count - count + 0.5) / (count + 0.5))
        return (in_texts + in_language) / 2

    def _count(self, word: str) -> int:
        place = self.words.get(word)
        return int(self.counts[place]) if place is not None else 0

    def _spelt_like(self, words: Sequence[str]) -> list[Similar]:
        return [self._held(found) for found in self.words.spelt_like(words, _SIMILAR_SPELLING)]

    def _held(self, found: Similar) -> Similar:
        held = self._is_there(found.places)
        return Similar(found.places[held], found.similarities[held])

    def _alike(self, typed: Sequence[str], *, english: bool) -> list[dict[int, float]]:
        """Return for each word the places of the words that it may stand for, with their similarities."""
        found = []
        for word, spelt in zip(typed, self._spelt_like(typed), strict=True):
            matches: dict[int, float] = {}
            place = self._place(word)
            if word.isalpha():  # a number stands for itself alone
                matches = dict(zip(spelt.places.tolist(), (spelt.similarities**2).tolist(), strict=True))
                _raise(matches, self._forms(word), _SAME_STEM)
                if _LATIN.fullmatch(word):
                    if not (english and place is not None):
                        self._add_sounds(word, matches)
                elif place is None and not is_known(word):
                    self._add_meant(word, matches)
            if place is not None:
                matches[place] = 1.0
            self._add_synonyms(word, matches)
            found.append(matches)
        return found

    def _add_sounds(self, word: str, matches: dict[int, float]) -> None:
        found = self._held(self.words.sharing_consonants(word))
        places = found.places[most_alike(found, self.counts[found.places], self.words.hashes(found.places))]
        for place, similarity in zip(
            places.tolist(), self.words.sound_similarities(word, places).tolist(), strict=True
        ):
            if similarity >= _SIMILAR_SOUND:
                _raise(matches, (place,), similarity**2)

    def _add_meant(self, word: str, matches: dict[int, float]) -> None:
        """Take an unknown word for a form of one that is known, else for a slip."""
        base = self._base(word)
        if base is not None:
            _raise(matches, self._forms(base), _SLIP)
            self._add_synonyms(base, matches)
        elif matches:
            raised = max(1.0, _SLIP / max(matches.values()))
            matches.update({place: similarity * raised for place, similarity in matches.items()})

    def _add_synonyms(self, word: str, matches: dict[int, float]) -> None:
        best = self._best(matches)
        meant = word if best is None or matches[best] < _SLIP**2 else self._texts([best])[best]
        for synonym in self._lexicon.synonyms(word) | self._lexicon.synonyms(meant):
            _raise(matches, self._forms(synonym), _SYNONYM)

    def _add_joined(self, typed: Sequence[str], matches: list[dict[int, float]]) -> None:
        """Let two words also stand for the one that they make together, and for its synonyms: «ثبت نام»."""
        for at, (first, second) in enumerate(pairwise(typed)):
            joined = first + second
            place = self._place(joined)
            for one in (matches[at], matches[at + 1]):
                if place is not None:
                    _raise(one, (place,), _SAME_STEM)
                for synonym in self._lexicon.synonyms(joined):
                    _raise(one, self._forms(synonym), _SYNONYM)

    def _best(self, matches: Mapping[int, float]) -> int | None:
        """Return the most similar match; of about equal ones the most frequent."""
        if not matches:
            return None
        least = max(matches.values()) - _ABOUT_EQUAL / 4
        near = {place: (self.counts[place], matches[place]) for place in matches if matches[place] >= least}
        best = max(near.values())
        equal = np.array([place for place in near if near[place] == best])
        return int(equal[np.argmin(self.words.hashes(equal))] if len(equal) > 1 else equal[0])

    def _texts(self, places: Collection[int]) -> dict[int, str]:
        return dict(zip(places, self.words.texts(np.fromiter(places, np.intp, len(places))), strict=True))

    def _word(
        self,
        typed: str,
        matches: Mapping[int, float],
        kept: Sequence[int],
        near: Sequence[int],
        texts: Mapping[int, str],
    ) -> QueryWord:
        best = self._best(matches)
        own = self._weight(typed)
        if best is None:
            return QueryWord(typed, own, {}, typed)
        replaced = self._place(typed) is None and (bool(_LATIN.fullmatch(typed)) or not is_known(typed))
        return QueryWord(
            typed,
            # As customers type common words more often than rare ones, a word that may be a common one weighs little.
            float(min(own, *(self._weight(texts[place]) for place in near))),
            {texts[place]: matches[place] for place in kept},
            texts[best] if replaced else typed,
        )

    def _most_similar(self, matches: Mapping[int, float]) -> list[int]:
        """Return the places of the words of the texts that are most similar."""
        places = np.fromiter(matches, np.intp, len(matches))
        similarities = np.fromiter(matches.values(), np.float64, len(matches))
        order = np.lexsort((self.words.hashes(places), -similarities))
        in_texts: list[int] = places[order[self.counts[places[order]] > 0]][:_MOST_MATCHES].tolist()
        return in_texts


def _about_best(matches: Mapping[int, float]) -> list[int]:
    least = max(matches.values(), default=0.0) - _ABOUT_EQUAL
    return [place for place, similarity in matches.items() if similarity >= least]


def _raise(matches: dict[int, float], places: Iterable[int], similarity: float) -> None:
    """Give the places at least this similarity."""
    for place in places:
        matches[place] = max(matches.get(place, 0.0), similarity)
