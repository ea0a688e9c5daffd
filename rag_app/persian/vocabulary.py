"""The words of a tenant's texts, and what a customer's words may mean among them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, pairwise, repeat

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.finglish import most_alike
from rag_app.persian.inflection import possible_stems, stem
from rag_app.persian.language import detect_language
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.match_memory import MatchMemory
from rag_app.persian.packed import PackedWords
from rag_app.persian.spelling import Similar, SimilarToEach
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
_REMEMBERED = 0.5  # of the vocabulary's own memory, for what words were found to stand for
_MOST_WORDS = 500  # of a question; a longer text is searched by these, as each costs time
_SHORTEST_PART = 2
_LONGEST = 64  # letters of a word that is taken apart; only one of many half-spaces is longer
_LATIN = re.compile(r"[a-z]+")
_stem = lru_cache(maxsize=4096)(stem)  # synonyms, and the common words of questions, come again and again


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
        self._count_at = counts.data  # gives single ones in a fraction of the time
        self._lexicon_size = len(self._lexicon.words)
        self._text_count = texts
        self._rarest = math.log(2 * texts + 2)
        self._told = MatchMemory(int(_REMEMBERED * self._nbytes))

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
        """The memory of what it does not share with the lexicon, in bytes, and of what it may come to remember."""
        return self._nbytes + self.to_remember

    @property
    def to_remember(self) -> int:
        """The memory set aside for what words of questions were found to stand for, in bytes."""
        return self._told.max_bytes

    @property
    def _nbytes(self) -> int:
        return self.counts.nbytes + self.words.nbytes_beyond(self._lexicon.words)

    def read(self, question: str) -> Reading:
        """Return the question's words, of a very long one the first, with what they may stand for.

        Courtesies are left out.
        """
        asked = self._analyzer.forms(question)
        split = [part for forms in asked[:_MOST_WORDS] for part in self._parts(*forms)]
        typed = self._lexicon.without_courtesies(split[:_MOST_WORDS])
        places = [self._place(word) for word in typed]
        matches = self._alike(typed, places, english=detect_language(question) == "en")
        self._add_joined(typed, matches)
        kept = self._most_similar(matches)
        near = [_about_best(found) for found in matches]
        texts = self._texts({place for places in (*kept, *near) for place in places})
        words = tuple(map(self._word, typed, places, matches, kept, near, repeat(texts)))
        meant = [word.meant for word in words]
        return Reading(
            words, " ".join([*meant, *(forms[0] for forms in asked[_MOST_WORDS:])]) if meant != typed else question
        )

    def _parts(self, word: str, *parts: str) -> tuple[str, ...]:
        """Return the parts of a word if the texts hold them alone.

        They are those between its half-spaces, or two of a word that nobody knows: a space was left out. A word of very
        many half-spaces is always taken apart.
        """
        parts = parts or self._lexicon.parts(word)
        if len(word) > _LONGEST:
            return parts or (word,)
        if parts and all(self._count(part) for part in parts):
            return (word,) if any(self._count_at[place] for place in self.words.of_stem(_stem(word))) else parts
        if self._is_known(word) or _LATIN.fullmatch(word) or not word.isalpha() or self._base(word):
            return (word,)
        cuts = ((word[:at], word[at:]) for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1))
        best = max(cuts, key=lambda cut: min(map(self._count, cut)), default=None)
        if best is None or min(map(self._count, best)) < 2:
            return (word,)
        alike = self._spelt_like([word]).similarities
        return (word,) if len(alike) and alike.max() >= 0.7 else best

    def _place(self, word: str) -> int | None:
        place = self.words.get(word)
        return place if place is not None and self._is_there(place) else None

    def _is_there(self, place: int) -> bool:
        """Tell whether a place is that of a word of the texts or the lexicon, and not of texts that are gone."""
        return place < self._lexicon_size or self._count_at[place] > 0

    def _are_there(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        there: NDArray[np.bool_] = (self.counts[places] > 0) | (places < self._lexicon_size)
        return there

    def _is_known(self, word: str) -> bool:
        return self._place(word) is not None or is_known(word)

    def _forms(self, word: str) -> list[int]:
        """Return the places of the words that have the same stem as `word`."""
        return self._of_stem(_stem(word))

    def _of_stem(self, stemmed: str) -> list[int]:
        return [place for place in self.words.of_stem(stemmed) if self._is_there(place)]

    def _base(self, word: str) -> str | None:
        """Return the word that an unknown one may be a form of."""
        bases = possible_stems(word)
        return next((base for base in bases if self._of_stem(base) or is_known(base)), None)

    def _weight(self, word: str, place: int | None) -> float:
        """Return how much a word, which is at `place`, tells by itself.

        The tenant's texts say which words tell them apart; the language keeps chance in a few texts from deciding.
        """
        in_language = idf(word)
        if in_language <= SMALL_WORD_IDF:
            return in_language
        count = self._count_at[place] if place is not None else None
        in_texts = self._rarest if count is None else math.log(1 + (self._text_count - count + 0.5) / (count + 0.5))
        return (in_texts + in_language) / 2

    def _count(self, word: str) -> int:
        place = self.words.get(word)
        return self._count_at[place] if place is not None else 0

    def _spelt_like(self, words: Sequence[str]) -> SimilarToEach:
        found = self.words.spelt_like(words, _SIMILAR_SPELLING)
        held = self._are_there(found.places)
        return SimilarToEach(found.owners[held], found.places[held], found.similarities[held])

    def _alike(self, typed: Sequence[str], places: Sequence[int | None], *, english: bool) -> list[dict[int, float]]:
        """Return for each word the places of the words that it may stand for, with their similarities.

        Args:
            typed: the words.
            places: their own.
            english: whether the question is, so that a word in Latin letters that the texts hold is not Persian.
        """
        if english:
            return self._newly_alike(typed, places, english=True)
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
        """Do what `_alike` does for words that are not remembered."""
        found: list[dict[int, float]] = [{} for _ in typed]
        spelt = self._spelt_like([word if word.isalpha() else "" for word in typed])  # a number stands for itself alone
        for owner, like, similarity in zip(
            spelt.owners.tolist(), spelt.places.tolist(), (spelt.similarities**2).tolist(), strict=True
        ):
            found[owner][like] = similarity
        for word, place, matches in zip(typed, places, found, strict=True):
            if word.isalpha():
                _raise(matches, self._forms(word), _SAME_STEM)
                if _LATIN.fullmatch(word):
                    if not (english and place is not None):
                        self._add_sounds(word, matches)
                elif place is None and not is_known(word):
                    self._add_meant(word, matches)
            if place is not None:
                matches[place] = 1.0
            self._add_synonyms(word, place, matches)
        return found

    def _add_sounds(self, word: str, matches: dict[int, float]) -> None:
        every = self.words.sharing_consonants(word)
        held = self._are_there(every.places)
        found = Similar(every.places[held], every.similarities[held])
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
            self._add_synonyms(base, self._place(base), matches)
        elif matches:
            raised = max(1.0, _SLIP / max(matches.values()))
            matches.update({place: similarity * raised for place, similarity in matches.items()})

    def _add_synonyms(self, word: str, place: int | None, matches: dict[int, float]) -> None:
        """Let a word, which is at `place`, also stand for its synonyms and those of the word that it most likely is."""
        synonyms = self._lexicon.synonyms(word)
        best = self._best(matches)
        if best is not None and best != place and matches[best] >= _SLIP**2:
            synonyms |= self._lexicon.synonyms(self.words.text(best))
        for synonym in synonyms:
            _raise(matches, self._forms(synonym), _SYNONYM)

    def _add_joined(self, typed: Sequence[str], matches: list[dict[int, float]]) -> None:
        """Let two words also stand for the one that they make together, and for its synonyms: «ثبت نام»."""
        for at, (first, second) in enumerate(pairwise(typed)):
            joined = first + second
            place = self._place(joined)
            synonyms = [self._forms(synonym) for synonym in self._lexicon.synonyms(joined)]
            for one in (matches[at], matches[at + 1]):
                if place is not None:
                    _raise(one, (place,), _SAME_STEM)
                for forms in synonyms:
                    _raise(one, forms, _SYNONYM)

    def _best(self, matches: Mapping[int, float]) -> int | None:
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
        return int(equal[np.argmin(self.words.hashes(equal))] if len(equal) > 1 else equal[0])

    def _texts(self, places: Collection[int]) -> dict[int, str]:
        rising = sorted(places)
        return dict(zip(rising, self.words.texts(np.array(rising, np.intp)), strict=True))

    def _word(
        self,
        typed: str,
        own_place: int | None,
        matches: Mapping[int, float],
        kept: Sequence[int],
        near: Sequence[int],
        texts: Mapping[int, str],
    ) -> QueryWord:
        own = self._weight(typed, own_place)
        meant = typed
        if own_place is None and (_LATIN.fullmatch(typed) or not is_known(typed)):
            best = self._best(matches)
            meant = typed if best is None else texts[best]
        return QueryWord(
            typed,
            # As customers type common words more often than rare ones, a word that may be a common one weighs little.
            min([own, *(self._weight(texts[place], place) for place in near if place != own_place)]),
            {texts[place]: matches[place] for place in kept},
            meant,
        )

    def _most_similar(self, matches: Sequence[Mapping[int, float]]) -> list[list[int]]:
        """Return for each word the places of the words of the texts that are most similar."""
        owners = np.repeat(np.arange(len(matches)), [len(found) for found in matches])
        places = np.fromiter(chain.from_iterable(matches), np.intp, len(owners))
        similarities = np.fromiter(chain.from_iterable(found.values() for found in matches), np.float64, len(owners))
        in_texts = self.counts[places] > 0
        owners, places, similarities = owners[in_texts], places[in_texts], similarities[in_texts]
        order = np.lexsort((self.words.hashes(places), -similarities, owners))
        bounds = np.searchsorted(owners, np.arange(len(matches) + 1)).tolist()
        sorted_places = places[order].tolist()
        return [sorted_places[first : min(last, first + _MOST_MATCHES)] for first, last in pairwise(bounds)]


def _about_best(matches: Mapping[int, float]) -> list[int]:
    least = max(matches.values(), default=0.0) - _ABOUT_EQUAL
    return [place for place, similarity in matches.items() if similarity >= least]


def _raise(matches: dict[int, float], places: Iterable[int], similarity: float) -> None:
    """Give the places at least this similarity."""
    for place in places:
        matches[place] = max(matches.get(place, 0.0), similarity)
