"""How sure a mean over queries is, and a difference of two means; seeded, so that the same values give the same."""

from __future__ import annotations

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


def p_value(differences: Sequence[float]) -> float:
    """Return how likely a mean at least this far from 0 is if the two systems do not differ.

    The paired two-sided randomisation test of Smucker et al. 2007, "A Comparison of Statistical Significance Tests for
    Information Retrieval Evaluation": if the systems do not differ, each query's difference may as well have the other
    sign. What was observed counts as one of the permutations, so that no p-value is 0.

    Args:
        differences: one for each query.
    """
    numbers = np.asarray(differences, dtype=float)
    observed = abs(numbers.sum()) - 1e-9  # sums of the same numbers in another order differ in the last digits
    random = np.random.default_rng(_SEED)
    extreme = sum(
        abs(numbers @ random.choice((-1.0, 1.0), size=len(numbers))) >= observed for _ in range(_PERMUTATIONS)
    )
    return float(extreme + 1) / (_PERMUTATIONS + 1)
