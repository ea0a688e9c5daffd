"""How sure a mean over queries is, and a difference of two means; seeded, so that the same values give the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

_SEED = 20070
_RESAMPLES = 1_000
_PERMUTATIONS = 10_000


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95% interval of the mean of `values`, by the percentile bootstrap over queries."""
    numbers = np.asarray(values, dtype=float)
    random = np.random.default_rng(_SEED)
    means = [numbers[random.integers(len(numbers), size=len(numbers))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def p_values(differences: Sequence[Sequence[float]]) -> list[float]:
    """Return for each measure how likely a mean at least this far from 0 is if the two systems do not differ.

    The paired two-sided randomisation test of Smucker et al. 2007, "A Comparison of Statistical Significance Tests for
    Information Retrieval Evaluation": if the systems do not differ, each query's difference may as well have the other
    sign. What was observed counts as one of the permutations, so that no p-value is 0.

    Args:
        differences: by measure, those of the queries; measures of the same number of queries share the permutations.
    """
    found: dict[int, float] = {}
    by_length = defaultdict(list)
    for place, numbers in enumerate(differences):
        by_length[len(numbers)].append(place)
    for length, places in by_length.items():
        table = np.asarray([differences[place] for place in places], dtype=float)
        observed = abs(table.sum(axis=1)) - 1e-9  # sums of the same numbers in another order differ in the last digits
        random = np.random.default_rng(_SEED)
        extreme = np.zeros(len(places))
        for _ in range(_PERMUTATIONS):
            extreme += abs(table @ random.choice((-1.0, 1.0), size=length)) >= observed
        found.update(zip(places, ((extreme + 1) / (_PERMUTATIONS + 1)).tolist(), strict=True))
    return [found[place] for place in range(len(differences))]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values as they are when all are looked at together.

    The step-down method of Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure": the smallest of `n`
    counts `n` times, the next `n - 1` times, and none counts less than one before it.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, number in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = least
    return adjusted
