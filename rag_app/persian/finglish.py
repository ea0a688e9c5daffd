"""Persian in Latin letters: which words of a list may "ghesti", "qesti" or "ghsty" stand for?

Spelling is every writer's own: consonants have one to three spellings each, long vowels have more, and short vowels,
which Persian script leaves out, are guessed. So words are found by their consonants, and then the Latin letters are
aligned with the Persian ones at the least cost (a weighted edit distance: Wagner and Fischer 1974).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.spelling import Similar, SpellingIndex

_CANDIDATES = 80
_LONGEST = 14  # letters that are compared

# Latin spellings of one sound become one symbol; those in capitals stand for two letters.
_SOUNDS = {
    "sch": "S",
    "kh": "X",
    "gh": "Q",
    "ch": "C",
    "sh": "S",
    "zh": "J",
    "oo": "U",
    "ou": "U",
    "ee": "I",
    "aa": "A",
}
_SOUNDS |= {"q": "Q", "x": "X", "w": "v", "c": "k"}
_SOUND = re.compile("|".join(_SOUNDS))
_DOUBLED = re.compile(r"([^aeiou\n])\1+")
# Letters that sound otherwise in some places, each under a letter that folded text does not hold.
_FINAL_HE, _FIRST_ALEF, _SILENT_VAV = "ة", "أ", "ؤ"  # «خانه» khane, «ایران» iran, «خواهر» khahar
_PLACES = (
    (re.compile(r"(?<=\w)ه$", re.MULTILINE), _FINAL_HE),
    (re.compile(r"^ا(?=[یو])", re.MULTILINE), _FIRST_ALEF),
    (re.compile(r"(?<=خ)و(?=ا)"), _SILENT_VAV),
)

# Each Persian letter, the symbols that write it for nothing, those that nearly do, and what leaving it out costs.
_LETTERS: tuple[tuple[str, str, str, float], ...] = (
    ("ا", "Aaeo", "uUiI", 0.3),
    (_FIRST_ALEF, "aeo", "uU", 0.02),
    ("و", "uUov", "", 0.4),
    (_SILENT_VAV, "v", "o", 0.02),
    ("ی", "iIy", "ea", 0.4),
    (_FINAL_HE, "eh", "a", 0.3),
    ("ه", "h", "", 0.4),
    ("ع", "aeoiA", "", 0.1),
    ("ب", "b", "v", 1),
    ("پ", "p", "b", 1),
    ("تط", "t", "d", 1),
    ("ثسص", "s", "z", 1),
    ("ج", "j", "J", 1),
    ("چ", "C", "", 1),
    ("ح", "h", "", 1),
    ("خ", "X", "kh", 1),
    ("د", "d", "t", 1),
    ("ذزضظ", "z", "s", 1),
    ("ر", "r", "", 1),
    ("ژ", "Jj", "", 1),
    ("ش", "S", "", 1),
    ("غق", "Q", "gk", 1),
    ("ف", "f", "", 1),
    ("ک", "k", "X", 1),
    ("گ", "g", "", 1),
    ("ل", "l", "", 1),
    ("م", "m", "", 1),
    ("ن", "n", "", 1),
)
_NEARLY = 0.4
# What a symbol costs that no letter writes: a short vowel next to nothing.
_EXTRA = {"a": 0.06, "e": 0.06, "o": 0.08, "i": 0.25, "u": 0.25, "I": 0.3, "U": 0.35, "A": 0.3, "y": 0.35, "h": 0.35}
_EXTRA |= {"v": 0.6}
_VOWELS = "aeiouyvUIA"

_SYMBOLS = {symbol: code for code, symbol in enumerate("abdefghijklmnoprstuvyzACIJQSUX", start=1)}
_CODES = {char: code for code, char in enumerate("".join(letters for letters, *_ in _LETTERS), start=1)}


def _costs() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the costs of writing a letter (row) as a symbol (column), of an extra symbol and of a letter left out."""
    written = np.ones((len(_CODES) + 1, len(_SYMBOLS) + 1))
    left_out = np.ones(len(_CODES) + 1)
    extra = np.ones(len(_SYMBOLS) + 1)
    for letters, exact, near, cost in _LETTERS:
        for letter in letters:
            left_out[_CODES[letter]] = cost
            written[_CODES[letter], [_SYMBOLS[symbol] for symbol in near]] = _NEARLY
            written[_CODES[letter], [_SYMBOLS[symbol] for symbol in exact]] = 0
    for symbol, cost in _EXTRA.items():
        extra[_SYMBOLS[symbol]] = cost
    return written, extra, left_out


_WRITTEN, _EXTRA_COST, _LEFT_OUT = _costs()
_CODE_OF = np.zeros(0x700, dtype=np.int8)  # by code point
_CODE_OF[[ord(letter) for letter in _CODES]] = list(_CODES.values())
_CONSONANT = {
    ord(letter): exact[0] if exact[0] not in _VOWELS and letter not in (_FINAL_HE, _SILENT_VAV) else ""
    for letters, exact, _, _ in _LETTERS
    for letter in letters
}


def sounds(word: str) -> str:
    """Return a word in Latin letters with one symbol for each sound.

    >>> sounds("mikham"), sounds("mixam"), sounds("shahriyeh")
    ('miXam', 'miXam', 'Sahriye')
    """
    symbols = _SOUND.sub(lambda match: _SOUNDS[match.group()], word.lower())
    return re.sub(r"(?<=e)h$", "", _DOUBLED.sub(r"\1", symbols))


def _skeleton(symbols: str) -> str:
    return _DOUBLED.sub(r"\1", symbols.translate(dict.fromkeys(map(ord, _VOWELS))))


class FinglishIndex:
    """Finds the Persian words of a list that a word in Latin letters may stand for.

    Args:
        words: folded words; those in another script are never found.
        counts: how often each occurs; of equally similar words the frequent ones are looked at.
    """

    def __init__(self, words: Sequence[str], counts: NDArray[np.int64]) -> None:
        letters = "\n".join(words)
        for place, letter in _PLACES:
            letters = place.sub(letter, letters)
        skeletons = _DOUBLED.sub(r"\1", letters.translate(_CONSONANT)).split("\n")
        chars = np.array(letters.split("\n"), dtype=f"U{_LONGEST}").view(np.uint32).reshape(len(words), _LONGEST)
        self._letters = _CODE_OF[np.minimum(chars, len(_CODE_OF) - 1)]
        self._lengths = (chars > 0).sum(axis=1)
        persian = ((self._letters > 0) == (chars > 0)).all(axis=1)
        self._spelling = SpellingIndex(
            [f"{skeleton}." if ours else "" for skeleton, ours in zip(skeletons, persian, strict=True)], 2, 3
        )
        self._frequent = 1e-3 * np.log1p(counts)

    def similar(self, word: str, threshold: float) -> Similar:
        """Return the words that `word` may stand for, whose similarity is at least `threshold`.

        The similarity is 1 less the cost of the alignment over the mean cost of leaving out all letters of either word.
        """
        symbols = sounds(word)
        ((places, alike),) = self._spelling.similar([f"{_skeleton(symbols)}."], 0.2)
        if len(places) > _CANDIDATES:
            places = places[np.argpartition(-(alike + self._frequent[places]), _CANDIDATES)[:_CANDIDATES]]
        if not len(places):
            return Similar(places, np.zeros(0))
        similarities = self._aligned([_SYMBOLS.get(symbol, 0) for symbol in symbols[:_LONGEST]], places)
        return Similar(places[similarities >= threshold], similarities[similarities >= threshold])

    def _aligned(self, symbols: list[int], places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the similarity of the symbols to each of the words at `places`."""
        lengths = self._lengths[places]
        letters = self._letters[places].T[: lengths.max()]
        left_out = _LEFT_OUT[letters]
        row = np.vstack([np.zeros(len(places)), np.cumsum(left_out, axis=0)])
        for symbol in symbols:
            above, row = row, np.empty_like(row)
            row[0] = above[0] + _EXTRA_COST[symbol]
            best = np.minimum(above[:-1] + _WRITTEN[letters, symbol], above[1:] + _EXTRA_COST[symbol])
            for at in range(len(letters)):
                row[at + 1] = np.minimum(best[at], row[at] + left_out[at])
        most = _EXTRA_COST[symbols].sum() + np.where(letters > 0, left_out, 0).sum(axis=0)
        similarities: NDArray[np.float64] = 1 - 2 * row[lengths, np.arange(len(places))] / most
        return similarities
