"""The words of a tenant's texts, and what a customer's words may mean among them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.finglish import FinglishIndex
from rag_app.persian.inflection import possible_stems, stem
from rag_app.persian.language import detect_language
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.spelling import SpellingIndex
from rag_app.persian.weights import SMALL_WORD_IDF, idf, is_known
from rag_app.schema import QueryWord, Reading

NGRAMS = (2, 4)
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

    Args:
        texts_with: in how many texts each word occurs.
        texts: how many texts there are.
        lexicon: synonyms and courtesies; none if None.
    """

    def __init__(self, texts_with: Mapping[str, int], texts: int, lexicon: Lexicon | None = None) -> None:
        self._analyzer = PersianAnalyzer()
        self._lexicon = lexicon or Lexicon()
        # The words of the lexicon too: a slip or a Latin spelling of one leads to its synonyms.
        counts = dict.fromkeys(self._lexicon.words, 0) | dict(texts_with)
        self._words = list(counts)
        self._places = {word: place for place, word in enumerate(self._words)}
        self._counts = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
        in_tenant = np.log(1 + (texts - self._counts + 0.5) / (self._counts + 0.5))
        # The tenant's texts say which words tell them apart; the language keeps chance in a few texts from deciding.
        in_language = np.array([idf(word) for word in self._words])
        self._weights = np.where(in_language <= SMALL_WORD_IDF, in_language, (in_tenant + in_language) / 2)
        self._rarest = math.log(2 * texts + 2)
        self._spelling = SpellingIndex(self._words, *NGRAMS)

    @classmethod
    def of_texts(cls, texts: Sequence[Iterable[str]]) -> Vocabulary:
        """Return the vocabulary of a few texts, each given by its words."""
        return cls(Counter(word for words in texts for word in set(words)), len(texts))

    @cached_property
    def _finglish(self) -> FinglishIndex:
        return FinglishIndex(self._words, self._counts)

    @cached_property
    def _stems(self) -> dict[str, list[int]]:
        stems: dict[str, list[int]] = {}
        for place, word in enumerate(self._words):
            stems.setdefault(stem(word), []).append(place)
        return stems

    def read(self, question: str) -> Reading:
        """Return the question's words, of a very long one the first, with what they may stand for.

        Courtesies are left out.
        """
        asked = self._analyzer.forms(question)
        split = [part for forms in asked[:_MOST_WORDS] for part in self._parts(*forms)]
        typed = self._lexicon.without_courtesies(split)
        if not self._words:
            return Reading(
                tuple(QueryWord(word, self._weight(word), {}, word) for word in dict.fromkeys(typed)), question
            )
        matches = self._alike(typed, english=detect_language(question) == "en")
        self._add_joined(typed, matches)
        words = tuple(self._word(word, found) for word, found in zip(typed, matches, strict=True))
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
            return (word,) if any(self._counts[place] for place in self._stems.get(stem(word), ())) else parts
        if self._is_known(word) or _LATIN.fullmatch(word) or not word.isalpha() or self._base(word):
            return (word,)
        cuts = ((word[:at], word[at:]) for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1))
        best = max(cuts, key=lambda cut: min(map(self._count, cut)), default=None)
        if best is None or min(map(self._count, best)) < 2:
            return (word,)
        ((_, alike),) = self._spelling.similar([word], _SIMILAR_SPELLING)
        return (word,) if len(alike) and alike.max() >= 0.7 else best

    def _is_known(self, word: str) -> bool:
        return word in self._places or is_known(word)

    def _base(self, word: str) -> str | None:
        """Return the word that an unknown one may be a form of."""
        return next((base for base in possible_stems(word) if base in self._stems or is_known(base)), None)

    def _weight(self, word: str) -> float:
        """Return how much a word tells by itself."""
        if word in self._places:
            return float(self._weights[self._places[word]])
        in_language = idf(word)
        return in_language if in_language <= SMALL_WORD_IDF else (self._rarest + in_language) / 2

    def _count(self, word: str) -> int:
        return int(self._counts[self._places[word]]) if word in self._places else 0

    def _alike(self, typed: Sequence[str], *, english: bool) -> list[dict[int, float]]:
        """Return for each word the places of the words that it may stand for, with their similarities."""
        found = []
        for word, spelt in zip(typed, self._spelling.similar(typed, _SIMILAR_SPELLING), strict=True):
            matches: dict[int, float] = {}
            if word.isalpha():  # a number stands for itself alone
                matches = dict(zip(spelt.places.tolist(), (spelt.similarities**2).tolist(), strict=True))
                _raise(matches, self._stems.get(stem(word), ()), _SAME_STEM)
                if _LATIN.fullmatch(word):
                    if not (english and word in self._places):
                        self._add_sounds(word, matches)
                elif not self._is_known(word):
                    self._add_meant(word, matches)
            if word in self._places:
                matches[self._places[word]] = 1.0
            self._add_synonyms(word, matches)
            found.append(matches)
        return found

    def _add_sounds(self, word: str, matches: dict[int, float]) -> None:
        places, similarities = self._finglish.similar(word, _SIMILAR_SOUND)
        for place, similarity in zip(places.tolist(), similarities.tolist(), strict=True):
            _raise(matches, (place,), similarity**2)

    def _add_meant(self, word: str, matches: dict[int, float]) -> None:
        """Take an unknown word for a form of one that is known, else for a slip."""
        base = self._base(word)
        if base is not None:
            _raise(matches, self._stems.get(stem(base), ()), _SLIP)
            self._add_synonyms(base, matches)
        elif matches:
            raised = max(1.0, _SLIP / max(matches.values()))
            matches.update({place: similarity * raised for place, similarity in matches.items()})

    def _add_synonyms(self, word: str, matches: dict[int, float]) -> None:
        best = self._best(matches)
        meant = word if best is None or matches[best] < _SLIP**2 else self._words[best]
        for synonym in self._lexicon.synonyms(word) | self._lexicon.synonyms(meant):
            _raise(matches, self._stems.get(stem(synonym), ()), _SYNONYM)

    def _add_joined(self, typed: Sequence[str], matches: list[dict[int, float]]) -> None:
        """Let two words also stand for the one that they make together, and for its synonyms: «ثبت نام»."""
        for at, (first, second) in enumerate(pairwise(typed)):
            joined = first + second
            for one in (matches[at], matches[at + 1]):
                if joined in self._places:
                    _raise(one, (self._places[joined],), _SAME_STEM)
                for synonym in self._lexicon.synonyms(joined):
                    _raise(one, self._stems.get(stem(synonym), ()), _SYNONYM)

    def _best(self, matches: Mapping[int, float]) -> int | None:
        """Return the most similar match; of about equal ones the most frequent."""
        if not matches:
            return None
        least = max(matches.values()) - _ABOUT_EQUAL / 4
        return max((place for place in matches if matches[place] >= least), key=lambda place: self._counts[place])

    def _word(self, typed: str, matches: dict[int, float]) -> QueryWord:
        best = self._best(matches)
        own = self._weight(typed)
        if best is None:
            return QueryWord(typed, own, {}, typed)
        # As customers type common words more often than rare ones, a word that may be a common one weighs little.
        least = max(matches.values()) - _ABOUT_EQUAL
        weight = min(own, *(self._weights[place] for place, similarity in matches.items() if similarity >= least))
        replaced = typed not in self._places and (bool(_LATIN.fullmatch(typed)) or not is_known(typed))
        in_texts = [place for place in matches if self._counts[place]]
        kept = sorted(in_texts, key=lambda place: -matches[place])[:_MOST_MATCHES]
        return QueryWord(
            typed,
            float(weight),
            {self._words[place]: matches[place] for place in kept},
            self._words[best] if replaced else typed,
        )


def _raise(matches: dict[int, float], places: Iterable[int], similarity: float) -> None:
    """Give the places at least this similarity."""
    for place in places:
        matches[place] = max(matches.get(place, 0.0), similarity)
