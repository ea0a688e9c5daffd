"""Warming a model up."""

from __future__ import annotations

import math
import time

from rag_app.cross_encoder.failures import invalid_scores
from rag_app.cross_encoder.probe_pairs import PASSAGES, QUERIES
from rag_app.cross_encoder.scorer import Scorer


def warm_up(scorer: Scorer) -> float:
    """Score a few pairs, so that the first request finds everything in place; return tokens per second.

    Raises:
        ComponentError: the scores are no numbers.
    """
    batch = scorer.tokenize(QUERIES[0], PASSAGES[:4])
    scorer.logits(batch)
    started = time.monotonic()
    logits = scorer.logits(batch)
    if not all(map(math.isfinite, logits)):
        raise invalid_scores()
    return len(batch) * max(len(pair["input_ids"]) for pair in batch) / max(time.monotonic() - started, 1e-6)
