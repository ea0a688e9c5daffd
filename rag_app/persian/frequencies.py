"""How much a Persian word tells, from the stop words and the frequency list that hazm ships."""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path

from rag_app.errors import ComponentError
from rag_app.persian.folding import HALF_SPACE, fold

STOP_WORD_IDF = 1.0
RAREST_IDF = 12.0
_AFFIXES = frozenset(("می", "نمی", "ها", "های", "هایی", "تر", "ترین", "ام", "ات", "اش", "ای"))


def _lines(name: str) -> list[str]:
    """Read one of hazm's data files, folded, without importing hazm, whose import takes seconds."""
    spec = importlib.util.find_spec("hazm")
    if spec is None or not spec.submodule_search_locations:
        raise ComponentError("hazm is not installed, and its word frequencies are needed: pip install hazm")
    path = Path(spec.submodule_search_locations[0]) / "data" / name
    return fold(path.read_text(encoding="utf-8")).replace(HALF_SPACE, "").splitlines()


@cache
def _idf() -> dict[str, float]:
    counts: dict[str, int] = {}
    for line in _lines("words.dat"):
        word, count, *_ = line.split("\t")
        if count != "0":  # not counted, which does not make a word common or rare
            counts[word] = counts.get(word, 0) + int(count)
    total = sum(counts.values())
    table = {word: min(RAREST_IDF, math.log(total / count)) for word, count in counts.items()}
    table.update(dict.fromkeys(_AFFIXES.union(_lines("stopwords.dat")), STOP_WORD_IDF))
    return table


def idf(word: str) -> float:
    """Return how much a folded word tells: `STOP_WORD_IDF` for a stop word to `RAREST_IDF` for an unknown one.

    Between them it is the negative natural logarithm of the word's share of the corpus that hazm counted.
    """
    return _idf().get(word, RAREST_IDF)
