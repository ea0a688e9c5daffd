"""Prometheus metrics. Recording one never raises, and no label holds a tenant, a user or a customer's words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import PurePath
from typing import ParamSpec

from prometheus_client import Counter, Histogram

from rag_app.trace import Degradation

logger = logging.getLogger(__name__)

Given = ParamSpec("Given")

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

_reranking = Counter("rag_reranking", "Requests reranked by a cross-encoder.", ["model"])
_reranking_latency = Histogram("rag_reranking_latency_seconds", "Time of reranking.", ["model"], buckets=_SECONDS)
_degradations = Counter(
    "rag_degradations", "Parts that failed or ran out of time and were made up for.", ["stage", "component", "reason"]
)


def _never_raises(record: Callable[Given, None]) -> Callable[Given, None]:
    @wraps(record)
    def recorded(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            record(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a metric is never worth a request
            logger.warning("metrics: %s was not recorded: %s", record.__name__, type(error).__name__)

    return recorded


@_never_raises
def reranked(model: str, seconds: float) -> None:
    """Count a reranking and its time; a folder is told by its name alone."""
    label = PurePath(model).name if PurePath(model).is_absolute() else model
    _reranking.labels(label).inc()
    _reranking_latency.labels(label).observe(seconds)


@_never_raises
def degraded(degradations: Iterable[Degradation]) -> None:
    """Count what a request had to make up for."""
    for degradation in degradations:
        _degradations.labels(degradation.stage, degradation.component, degradation.reason).inc()
