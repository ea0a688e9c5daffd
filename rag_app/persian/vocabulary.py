"""The reading of a whole question by the words of a tenant's texts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, count, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.language import detect_language
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.matches import Matches
from rag_app.persian.matching import LATIN, WordMatcher, about_best
from rag_app.persian.packed import PackedWords
from rag_app.persian.weights import SMALL_WORD_IDF, idf, is_known
from rag_app.persian.word_memory import MATCH, Asked, Understood, WordMemory
from rag_app.persian.words import Words
from rag_app.schema import QueryWord, Reading

_MOST_MATCHES = 64
_MOST_WORDS = 500  # of a question; a longer text is searched by these, as each costs time
_SHORTEST_PART = 2
_LONGEST = 64  # letters of a word that is taken apart; only one of many half-spaces is longer
_NUMBERS = count()
_FORGETFUL = WordMemory(0)


class Vocabulary:
    """Reads questions as made of words that the texts hold.

    What is equally good is decided by the words alone, so that every process reads the same.

    Args:
        words: those of the lexicon, and after them those of the texts.
        counts: in how many texts each occurs; one of no text counts only if the lexicon has it.
        texts: how many texts there are.
        lexicon: synonyms and courtesies; none if None.
        memory: of what words of questions stand for; None if none are to be asked again.
    """

    def __init__(
        self,
        words: Words,
        counts: NDArray[np.int32],
        texts: int,
        lexicon: Lexicon | None = None,
        memory: WordMemory | None = None,
    ) -> None:
        self._analyzer = PersianAnalyzer()
        self._lexicon = lexicon or Lexicon()
        self.words = words
        self.counts = counts
        self._count_at = counts.data  # gives single ones in a fraction of the time
        self._text_count = texts
        self._rarest = math.log(2 * texts + 2)
        self._matcher = WordMatcher(words, counts, self._lexicon)
        self._number = next(_NUMBERS)
        self._memory = memory or _FORGETFUL

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
        typed = self._lexicon.without_courtesies(split[:_MOST_WORDS])
        english = detect_language(question) == "en"
        joined = self._matcher.joined(typed)
        understood = self._understood([Asked(*word, english) for word in zip(typed, joined, strict=True)])
        # The letters of all at once, if somebody asks for them.
        spelt_out = cache(lambda: self._texts(place for each in understood for place in each.matches["place"].tolist()))
        words = tuple(
            QueryWord(word, weight, Matches(self.words, matches["place"], matches["similarity"], spelt_out), meant)
            for word, (weight, meant, matches) in zip(typed, understood, strict=True)
        )
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
        matcher = self._matcher
        if parts and all(matcher.count(part) for part in parts):
            return (word,) if any(self._count_at[place] for place in matcher.forms(word)) else parts
        known = matcher.place(word) is not None or is_known(word)
        if known or LATIN.fullmatch(word) or not word.isalpha() or matcher.base(word):
            return (word,)
        cuts = ((word[:at], word[at:]) for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1))
        best = max(cuts, key=lambda cut: min(map(matcher.count, cut)), default=None)
        if best is None or min(map(matcher.count, best)) < 2:
            return (word,)
        alike = matcher.spelt_like([word]).similarities
        return (word,) if len(alike) and alike.max() >= 0.7 else best

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

    def _texts(self, places: Iterable[int]) -> dict[int, str]:
        rising = sorted(set(places))
        return dict(zip(rising, self.words.texts(np.array(rising, np.intp)), strict=True))

    def _understood(self, asked: Sequence[Asked]) -> list[Understood]:
        """Return what each word stands for, remembered or found."""
        remembered = {each: self._memory.get(self._number, each) for each in asked}
        known = {each: understood for each, understood in remembered.items() if understood is not None}
        new = [each for each in remembered if each not in known]
        if new:
            found = dict(zip(new, self._find(new), strict=True))
            for each, understood in found.items():
                self._memory.keep(self._number, each, understood)
            known |= found
        return [known[each] for each in asked]

    def _find(self, asked: Sequence[Asked]) -> list[Understood]:
        places = [self._matcher.place(each.word) for each in asked]
        matches = self._matcher.matches(asked, places)
        near = [about_best(found) for found in matches]
        texts = self._texts(chain.from_iterable(near))
        kept = self._most_similar(matches)
        return [self._found(*each, texts) for each in zip(asked, places, matches, near, kept, strict=True)]

    def _found(
        self,
        asked: Asked,
        place: int | None,
        matches: Mapping[int, float],
        near: Sequence[int],
        kept: NDArray[Any],
        texts: Mapping[int, str],
    ) -> Understood:
        word = asked.word
        own = self._weight(word, place)
        meant = word
        if place is None and (LATIN.fullmatch(word) or not is_known(word)):
            best = self._matcher.best(matches)
            meant = word if best is None else texts[best]
        # As customers type common words more often than rare ones, a word that may be a common one weighs little.
        weight = min([own, *(self._weight(texts[other], other) for other in near if other != place)])
        return Understood(weight, meant, kept)

    def _most_similar(self, matches: Sequence[Mapping[int, float]]) -> list[NDArray[Any]]:
        """Return for each word the words of the texts that are most similar, the best first."""
        owners = np.repeat(np.arange(len(matches)), [len(found) for found in matches])
        found = np.empty(len(owners), MATCH)
        found["place"] = np.fromiter(chain.from_iterable(matches), np.int32, len(owners))
        found["similarity"] = np.fromiter(chain.from_iterable(each.values() for each in matches), float, len(owners))
        in_texts = self.counts[found["place"]] > 0
        owners, found = owners[in_texts], found[in_texts]
        found = found[np.lexsort((self.words.hashes(found["place"]), -found["similarity"], owners))]
        bounds = np.searchsorted(owners, np.arange(len(matches) + 1)).tolist()
        return [found[first : min(last, first + _MOST_MATCHES)].copy() for first, last in pairwise(bounds)]
