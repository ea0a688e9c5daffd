"""A Prometheus metric whose making may fail without harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric

M = TypeVar("M", Counter, Gauge, Histogram)


class Instrument(Generic[M]):
    """A metric of the default registry that is made when it is first used, with its children at hand.

    Where worker processes share their figures, making a metric or a child opens a file. If that fails, so does this use
    alone: the next one tries again.

    Args:
        kind: what is made.
        name: as Prometheus has it.
        about: what it counts.
        labels: the names of its labels.
        zeros: the labels of the series that are there from the start, because `rate` does not see how a series began.
        options: what else `kind` takes.
    """

    def __init__(
        self,
        kind: Callable[..., M],
        name: str,
        about: str,
        labels: Sequence[str] = (),
        *,
        zeros: Iterable[tuple[str, ...]] = (),
        **options: Any,
    ) -> None:
        self.name = name
        self.label_names = tuple(labels)
        self._kind: Callable[..., M] = kind
        self._about = about
        self._zeros = tuple(zeros)
        self._options = options
        self._metric: M | None = None
        self._children: dict[tuple[str, ...], M] = {}
        self._lock = threading.Lock()

    def of(self, *labels: str) -> M:
        """Return the series of these labels.

        Raises:
            OSError: the file of a shared figure can not be opened.
        """
        return self._children.get(labels) or self._made(labels)

    def begin(self) -> None:
        """Make the series that are there from the start; raises what `of` raises."""
        for labels in self._zeros:
            self.of(*labels)

    def collect(self) -> Iterable[Metric]:
        """Return this process's figures."""
        return self._metric.collect() if self._metric is not None else ()

    def forget(self) -> None:
        """Let the metric be made anew by its next use."""
        with self._lock:
            if self._metric is not None:
                REGISTRY.unregister(self._metric)
            self._metric = None
            self._children = {}

    def _made(self, labels: tuple[str, ...]) -> M:
        with self._lock:
            if self._metric is None:
                self._metric = self._kind(self.name, self._about, self.label_names, **self._options)
            return self._children.setdefault(labels, self._metric.labels(*labels) if labels else self._metric)
