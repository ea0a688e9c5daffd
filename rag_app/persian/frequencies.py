"""The word lists that hazm ships."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rag_app.errors import ComponentError
from rag_app.persian.folding import HALF_SPACE, fold

RAREST_IDF = 12.0


def hazm_data(name: str) -> list[str]:
    """Return the lines of one of hazm's data files, folded, without importing hazm, whose import takes seconds."""
    spec = importlib.util.find_spec("hazm")
    if spec is None or not spec.submodule_search_locations:
        raise ComponentError("hazm is not installed, and its word frequencies are needed: pip install hazm")
    path = Path(spec.submodule_search_locations[0]) / "data" / name
    return fold(path.read_text(encoding="utf-8")).replace(HALF_SPACE, "").splitlines()


class _Counted(NamedTuple):
    idf: Mapping[str, float]
    plurals: frozenset[str]
    nouns: frozenset[str]


@cache
def _counted() -> _Counted:
    counts: dict[str, int] = {}
    plurals, nouns = set(), set()
    for line in hazm_data("words.dat"):
        word, count, marks = line.split("\t")
        if count != "0":  # not counted, which does not make a word common or rare
            counts[word] = counts.get(word, 0) + int(count)
            marked = marks.split(",")
            if "pl" in marked:
                plurals.add(word)
            if "n" in marked:
                nouns.add(word)
    total = sum(counts.values())
    idf = {word: min(RAREST_IDF, math.log(total / count)) for word, count in counts.items()}
    return _Counted(idf, frozenset(plurals), frozenset(nouns))


def counted_idf(word: str) -> float:
    """Return the negative natural logarithm of a folded word's share of the corpus that hazm counted.

    It is at most `RAREST_IDF`, which a word that does not occur has.
    """
    return _counted().idf.get(word, RAREST_IDF)


def is_noun(word: str) -> bool:
    """Tell whether hazm counted a folded word and marks it as a noun."""
    return word in _counted().nouns


def is_singular(word: str) -> bool:
    """Tell whether hazm counted a folded word and does not mark it as a plural."""
    return word in _counted().idf and word not in _counted().plurals
