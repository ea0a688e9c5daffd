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

from rag_app.persian.packed import SPACE, PackedWords
from rag_app.persian.spelling import Ngrams, SimilarToEach, SpellingIndex

_CANDIDATES = 80
_SHARED = 0.2  # Dice coefficient of the n-grams of consonants
_NGRAMS = (2, 3)
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
_DOUBLED = re.compile(r"([^aeiou])\1+")
# Letters that sound otherwise in some places, each under a letter that folded text does not hold.
_FINAL_HE, _FIRST_ALEF, _SILENT_VAV = "ة", "أ", "ؤ"  # «خانه» khane, «ایران» iran, «خواهر» khahar

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
_CODE_POINTS = 0x700  # beyond the last letter of ours
_CODE_OF = np.zeros(_CODE_POINTS, dtype=np.int8)
_CODE_OF[[ord(letter) for letter in _CODES]] = list(_CODES.values())
_CONSONANT = np.zeros(_CODE_POINTS, dtype=np.uint16)  # the symbol of a letter's consonant, 0 of one that may be a vowel
for _letters, _exact, *_ in _LETTERS:
    if _exact[0] not in _VOWELS and _letters not in (_FINAL_HE, _SILENT_VAV):
        _CONSONANT[[ord(letter) for letter in _letters]] = ord(_exact[0])


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
    """

    def __init__(self, words: PackedWords) -> None:
        letters = _as_they_sound(words)
        owners = np.repeat(np.arange(len(words)), np.diff(words.bounds))
        persian = np.bincount(owners[_CODE_OF[letters] > 0], minlength=len(words)) == words.lengths
        self._spelling = SpellingIndex(_skeletons(_CONSONANT[letters] * persian[owners], owners, persian), *_NGRAMS)
        self.nbytes = self._spelling.nbytes

    def candidates(self, asked: Ngrams) -> SimilarToEach:
        """Return the words that share some of the `consonants` asked for, and how many of them."""
        return self._spelling.similar_to_each(asked, _SHARED)


def consonants(typed: Sequence[str]) -> Ngrams:
    """Return the consonants of words in Latin letters, to be looked up in several indexes."""
    return Ngrams([f"{_skeleton(sounds(word))}." for word in typed], range(_NGRAMS[0], _NGRAMS[1] + 1))


def most_alike(
    similarities: NDArray[np.float64], counts: NDArray[np.int32], order: NDArray[np.uint64]
) -> NDArray[np.intp]:
    """Return which candidates to compare letter by letter: of equally similar ones the frequent, else by `order`."""
    alike = similarities + 1e-3 * np.log1p(counts)
    if len(alike) <= _CANDIDATES:
        return np.arange(len(alike))
    (near,) = np.nonzero(alike >= np.partition(alike, -_CANDIDATES)[-_CANDIDATES])
    best: NDArray[np.intp] = near[np.lexsort((order[near], -alike[near]))[:_CANDIDATES]]
    return best


def _as_they_sound(words: PackedWords) -> NDArray[np.uint16]:
    """Return the letters of the words, each under a letter of its own where it sounds otherwise; 0 for all others."""
    letters = np.where(words.units < _CODE_POINTS, words.units, 0)
    letters[words.bounds[1:] - 1] = 0
    before, after = np.r_[0, letters[:-1]], np.r_[letters[1:], 0]
    he, alef, vav, ye, khe = (ord(letter) for letter in "هاویخ")
    sounding = letters.copy()
    sounding[(letters == he) & (before > 0) & (after == 0)] = ord(_FINAL_HE)
    sounding[(letters == alef) & (before == 0) & ((after == ye) | (after == vav))] = ord(_FIRST_ALEF)
    sounding[(letters == vav) & (before == khe) & (after == alef)] = ord(_SILENT_VAV)
    return sounding


def _skeletons(consonants: NDArray[np.uint16], owners: NDArray[np.intp], persian: NDArray[np.bool_]) -> PackedWords:
    """Return the consonants of each Persian word, doubled ones once, with a point behind; of others an empty word.

    Args:
        consonants: of each unit of all words; 0 for none.
        owners: the word of each unit.
        persian: which words are.
    """
    held = np.flatnonzero(consonants)
    symbols, owners = consonants[held], owners[held]
    single = np.r_[True, (symbols[1:] != symbols[:-1]) | (owners[1:] != owners[:-1])][: len(symbols)]
    symbols, owners = symbols[single], owners[single]
    lengths = np.bincount(owners, minlength=len(persian))
    bounds = np.r_[0, np.cumsum(lengths + persian + 1)].astype(np.int32)
    units = np.full(bounds[-1], SPACE, dtype=np.uint16)
    units[bounds[1:][persian] - 2] = ord(".")
    firsts = np.cumsum(lengths) - lengths
    units[bounds[owners] + np.arange(len(owners)) - firsts[owners]] = symbols
    return PackedWords(units, bounds)


def sound_similarities(typed: Sequence[str], owners: NDArray[np.intp], words: PackedWords) -> NDArray[np.float64]:
    """Return how well words in Latin letters write Persian ones.

    It is 1 less the cost of the alignment over the mean cost of leaving out all letters of either word.

    Args:
        typed: the words in Latin letters.
        owners: which of them each of `words` is compared with.
        words: folded words.
    """
    if not len(words):
        return np.zeros(0)
    symbols = [[_SYMBOLS.get(symbol, 0) for symbol in sounds(word)[:_LONGEST]] for word in typed]
    longest_first = sorted(range(len(typed)), key=lambda word: -len(symbols[word]))
    ranks = np.argsort(longest_first)[owners]
    order = np.argsort(ranks, kind="stable")
    similarities = np.empty(len(words))
    similarities[order] = _aligned([symbols[word] for word in longest_first], ranks[order], words.take(order))
    return similarities


def _aligned(typed: Sequence[Sequence[int]], owners: NDArray[np.intp], words: PackedWords) -> NDArray[np.float64]:
    """Return the similarity of each of `words` to the symbols that are its owner's; those with the most come first."""
    lengths, positions = np.minimum(words.lengths, _LONGEST), words.positions()
    codes = _CODE_OF[_as_they_sound(words)]
    letters = np.zeros((lengths.max(), len(words)), dtype=np.int8)  # the n-th letters of all words side by side
    compared = positions < np.repeat(lengths, np.diff(words.bounds))
    letters[positions[compared], np.repeat(np.arange(len(words)), lengths)] = codes[compared]
    left_out = _LEFT_OUT[letters]
    row = np.vstack([np.zeros(len(words)), np.cumsum(left_out, axis=0)])
    most = row[lengths, np.arange(len(words))] + np.array([_EXTRA_COST[list(each)].sum() for each in typed])[owners]
    for step in range(len(typed[0])):
        left = [symbols[step] for symbols in typed if len(symbols) > step]
        some = np.searchsorted(owners, len(left))  # the words whose owner has a symbol left
        symbol = np.array(left)[owners[:some]]
        above, extra = row[:, :some].copy(), _EXTRA_COST[symbol]
        row[0, :some] += extra
        best = np.minimum(above[:-1] + _WRITTEN[letters[:, :some], symbol], above[1:] + extra)
        for at in range(len(letters)):
            row[at + 1, :some] = np.minimum(best[at], row[at, :some] + left_out[at, :some])
    aligned: NDArray[np.float64] = 1 - 2 * row[lengths, np.arange(len(words))] / most
    return aligned
