"""The word lists that hazm ships."""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path

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


@cache
def _counted() -> dict[str, float]:
    counts: dict[str, int] = {}
    for line in hazm_data("words.dat"):
        word, count, *_ = line.split("\t")
        if count != "0":  # not counted, which does not make a word common or rare
            counts[word] = counts.get(word, 0) + int(count)
    total = sum(counts.values())
    return {word: min(RAREST_IDF, math.log(total / count)) for word, count in counts.items()}


def counted_idf(word: str) -> float:
    """Return the negative natural logarithm of a folded word's share of the corpus that hazm counted.

    It is at most `RAREST_IDF`, which a word that does not occur has.
    """
    return _counted().get(word, RAREST_IDF)
