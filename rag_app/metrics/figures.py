"""The latest figures as a plain dict."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from prometheus_client import Metric
from prometheus_client.samples import Sample

from rag_app.logs import get_logger
from rag_app.metrics.catalog import METHODS, SHADOW_OUTCOMES
from rag_app.metrics.recording import health
from rag_app.metrics.scraping import families

logger = get_logger(__name__)

_FRESH_S = 1.0


def cached_metrics() -> dict[str, Any]:
    """Return the figures since the start, at most a second old; never raises.

    Times are milliseconds; an average is None where nothing was counted, and `average_chunks` is that of the last 100
    requests by source. Where the workers' folder fails, the dict holds what was known last, and `error` says why.
    """
    return _latest.get()


class _Latest:
    def __init__(self) -> None:
        self._figures = _figures(())
        self._until = 0.0

    def get(self) -> dict[str, Any]:
        if time.monotonic() < self._until:
            return deepcopy(self._figures)
        try:
            self._figures = _figures(families())
            error = health.problem
        except Exception as failure:  # noqa: BLE001 - figures are never worth a request
            error = str(failure) if isinstance(failure, OSError) else type(failure).__name__
        if error is not None:
            self._figures["error"] = error
        self._until = time.monotonic() + _FRESH_S
        return deepcopy(self._figures)


class _Samples:
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._by_name: dict[str, list[Sample]] = defaultdict(list)
        for metric in metrics:
            for sample in metric.samples:
                self._by_name[sample.name].append(sample)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the series that have these labels."""
        return sum(sample.value for sample in self._with(name, labels))

    def by(self, label: str, name: str, **labels: str) -> dict[str, list[float]]:
        """Return the values of the series that have these labels, by another label."""
        values: dict[str, list[float]] = defaultdict(list)
        for sample in self._with(name, labels):
            values[sample.labels[label]].append(sample.value)
        return values

    def mean(self, name: str, **labels: str) -> float | None:
        """Return the mean of what histograms observed, or None if that is nothing."""
        return _ratio(self.total(f"{name}_sum", **labels), self.total(f"{name}_count", **labels))

    def mean_ms(self, name: str, **labels: str) -> float | None:
        """Return the mean of what histograms observed in seconds, in milliseconds."""
        mean = self.mean(name, **labels)
        return None if mean is None else round(1000 * mean, 3)

    def counts(self, name: str, *label_names: str) -> dict[str, int]:
        """Return what was counted, by the values of these labels with slashes between."""
        values: dict[str, int] = defaultdict(int)
        for sample in self._by_name[name]:
            values["/".join(sample.labels[label] for label in label_names)] += int(sample.value)
        return dict(values)

    def _with(self, name: str, labels: dict[str, str]) -> list[Sample]:
        return [sample for sample in self._by_name[name] if labels.items() <= sample.labels.items()]


def _figures(metrics: Iterable[Metric]) -> dict[str, Any]:
    samples = _Samples(metrics)
    shadow = samples.counts("rag_shadow_requests_total", "outcome")
    return {
        **{method: _of_method(samples, method) for method in METHODS},
        "reranking": {
            model: {
                "requests": requests,
                "average_latency_ms": samples.mean_ms("rag_reranking_latency_seconds", model=model),
            }
            for model, requests in samples.counts("rag_reranking_total", "model").items()
        },
        "degradations": samples.counts("rag_degradations_total", "stage", "component", "reason"),
        "flags": samples.counts("rag_flag_evaluations_total", "flag", "variant", "reason"),
        "shadow": {
            **{outcome: shadow.get(outcome, 0) for outcome in SHADOW_OUTCOMES},
            "first_differs": int(samples.total("rag_shadow_first_differs_total")),
            "average_overlap": samples.mean("rag_shadow_overlap_ratio"),
            "average_latency_ms": {
                method: samples.mean_ms("rag_shadow_latency_seconds", method=method) for method in METHODS
            },
        },
    }


def _of_method(samples: _Samples, method: str) -> dict[str, Any]:
    requests = samples.total("rag_retrieval_total", method=method)
    errors = samples.total("rag_errors_total", method=method)
    errors_share = _ratio(errors, requests)
    return {
        "requests": int(requests),
        "errors": int(errors),
        "success_rate": None if errors_share is None else 1 - errors_share,
        "average_latency_ms": samples.mean_ms("rag_retrieval_latency_seconds", method=method),
        "average_chunks": _average_chunks(samples, method),
        "empty": int(samples.total("rag_empty_results_total", method=method)),
    }


def _average_chunks(samples: _Samples, method: str) -> float | None:
    """Return the mean of the gauges, each source weighed by its requests."""
    chunks = requests = 0.0
    for source, means in samples.by("source", "rag_chunks_retrieved", method=method).items():
        weight = samples.total("rag_retrieval_total", method=method, primary_source=source)
        chunks += weight * sum(means) / len(means)
        requests += weight
    return _ratio(chunks, requests)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


_latest = _Latest()
