"""How far a precision's logits lie from those of fp32."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import NamedTuple

from scipy.stats import kendalltau

TOP = 8  # what the reranker hands on to the context

Scores = Sequence[float]  # of one set of passages


class Agreement(NamedTuple):
    """Over sets of passages, each compared with its order in fp32.

    Attributes:
        tau: Kendall's, the mean; `least_tau` is the least.
        same_top: the share of fp32's best 8 that are among the best 8.
        noise: the standard deviation of the differences of the logits, as a part of that of the logits.
    """

    tau: float
    least_tau: float
    same_top: float
    noise: float


def agreement(reference: Sequence[Scores], others: Sequence[Scores]) -> Agreement:
    """Compare the logits of sets with those that fp32 gives the same sets."""
    pairs = list(zip(reference, others, strict=True))
    taus = [float(kendalltau(*pair).statistic) for pair in pairs]
    tops = [len(_best(one) & _best(other)) / min(TOP, len(one)) for one, other in pairs]
    noises = [
        pstdev([b - a for a, b in zip(one, other, strict=True)]) / spread
        for one, other in pairs
        if (spread := pstdev(one)) > 0
    ]
    return Agreement(fmean(taus), min(taus), fmean(tops), fmean(noises))


def _best(scores: Scores) -> set[int]:
    return set(sorted(range(len(scores)), key=lambda place: -scores[place])[:TOP])
