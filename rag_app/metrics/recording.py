"""What is recorded of a request. None of it raises, and a value that is no number is left out."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import PurePath
from typing import ParamSpec

from rag_app.logs import get_logger
from rag_app.metrics import catalog
from rag_app.metrics.labels import MODEL, OTHER, SOURCE, Label
from rag_app.trace import Degradation

logger = get_logger(__name__)

Given = ParamSpec("Given")

_RECENT = 100  # runs that the gauge of chunks tells of
_LARGEST = 1e9  # of one value, so that no sum becomes infinite
_QUIET_S = 60.0  # between two warnings

_source = Label(SOURCE)
_model = Label(MODEL)
_word = Label(most=200)
_flag_variant = Label(MODEL)


class _Health:
    """Whether the last recording succeeded.

    Attributes:
        problem: why it did not, or None.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._begun_by = 0
        self._quiet_until = 0.0

    def begin(self) -> None:
        """Make the series that are there from the start, once."""
        if not self._begun_by:
            for instrument in catalog.INSTRUMENTS:
                instrument.begin()
            self._begun_by = os.getpid()

    def failed(self, name: str, error: Exception) -> None:
        """Say so, once a minute."""
        self.problem = _told(error)
        if isinstance(error, OSError) and self._begun_by not in (0, os.getpid()):
            # A fork made prometheus_client close the files of the parent, and it did not come to open its own.
            for instrument in catalog.INSTRUMENTS:
                instrument.forget()
            self._begun_by = 0
        if time.monotonic() > self._quiet_until:
            self._quiet_until = time.monotonic() + _QUIET_S
            logger.warning("metrics: %s was not recorded: %s", name, self.problem)


health = _Health()


def never_raises(record: Callable[Given, None]) -> Callable[Given, None]:
    """Have a function log what it would raise."""

    @wraps(record)
    def recorded(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            health.begin()
            record(*args, **kwargs)
            health.problem = None
        except Exception as error:  # noqa: BLE001 - a metric is never worth a request
            health.failed(record.__name__, error)

    return recorded


@never_raises
def begin() -> None:
    """Make the series that are there from the start, so that the first scrape sees them."""


@never_raises
def retrieved(
    *,
    method: str,
    primary_source: str | None,
    seconds: float,
    deadline_s: float | None,
    scores: Sequence[tuple[str, float]],
    tokens: int,
    stages: Mapping[str, float],
    complexity: str | None,
    error_type: str | None,
    empty_reason: str | None,
) -> None:
    """Count a run of a pipeline.

    Args:
        method: "production_rag" or "context_retriever".
        primary_source: what the request asked for; None if it did not.
        seconds: how long it took.
        deadline_s: what it might have taken, in seconds; None or infinite if there was no limit.
        scores: source and score of each chunk in the context.
        tokens: size of the context.
        stages: seconds by stage.
        complexity: "simple", "moderate" or "complex"; None if it was not found out.
        error_type: the class or fixed reason of the failure; None if it did not fail.
        empty_reason: why there is no chunk; None if there is one.
    """
    method = _method(method)
    source = catalog.ALL_SOURCES if primary_source is None else _source(primary_source)
    catalog.retrieval.of(method, source).inc()
    if error_type is not None:
        catalog.errors.of(method, _word(error_type)).inc()
    if empty_reason is not None:
        catalog.empty_results.of(method, _word(empty_reason)).inc()
    if (took := _number(seconds)) is not None:
        catalog.retrieval_latency.of(method).observe(took)
        if (limit := _number(deadline_s)) is not None and limit > 0:
            catalog.deadline_use.of(method).observe(took / limit)
    if (size := _number(tokens)) is not None:
        catalog.context_tokens.of(method).observe(size)
    if complexity in catalog.COMPLEXITIES:
        catalog.query_complexity.of().observe(catalog.COMPLEXITIES[complexity])
    for stage, stage_seconds in stages.items():
        if (took := _number(stage_seconds)) is not None:
            catalog.stage_duration.of(method, _word(stage)).observe(took)
    for chunk_source, chunk_score in scores:
        if (score := _number(chunk_score)) is not None:
            catalog.chunk_scores.of(_source(chunk_source)).observe(score)
    catalog.chunks_retrieved.of(method, source).set(_recent_chunks.mean_with((method, source), len(scores)))


@never_raises
def degraded(degradations: Iterable[Degradation]) -> None:
    """Count what a request had to make up for."""
    for entry in degradations:
        catalog.degradations.of(_word(entry.stage), _word(entry.component), _word(entry.reason)).inc()


@never_raises
def reranked(model: str, seconds: float) -> None:
    """Count a reranking and its time in seconds; a folder is told by its name alone."""
    label = _model(PurePath(model).name if model.startswith("/") else model)
    catalog.reranking.of(label).inc()
    if (took := _number(seconds)) is not None:
        catalog.reranking_latency.of(label).observe(took)


@never_raises
def flag_evaluated(flag: str, variant: str, reason: str) -> None:
    """Count what a flag was found to be, and why."""
    catalog.flag_evaluations.of(_word(flag), _flag_variant(variant), _word(reason)).inc()


@never_raises
def cache_used(cache: str, *, hits: int = 0, misses: int = 0) -> None:
    """Count look-ups in a cache that found what they sought, and those that did not."""
    label = _word(cache)
    for outcome, times in (("hit", hits), ("miss", misses)):
        counter = catalog.cache_requests.of(label, outcome)
        if (count := _number(times)) is not None:
            counter.inc(count)


@never_raises
def cache_holds(cache: str, nbytes: int) -> None:
    """Tell how much memory a cache of this process holds."""
    catalog.cache_bytes.of(_word(cache)).set(nbytes)


@never_raises
def shadowed(
    outcome: str,
    *,
    overlap: float | None = None,
    seconds: Mapping[str, float] | None = None,
    first_differs: bool = False,
) -> None:
    """Count a request that was offered to shadow mode.

    Args:
        outcome: "compared", "skipped" or "failed".
        overlap: documents that both pipelines found, of those that either found, 0 to 1.
        seconds: how long each method took.
        first_differs: whether their best documents differ.
    """
    catalog.shadow_requests.of(outcome if outcome in catalog.SHADOW_OUTCOMES else OTHER).inc()
    if (share := _number(overlap)) is not None:
        catalog.shadow_overlap.of().observe(share)
    for method, method_seconds in (seconds or {}).items():
        if (took := _number(method_seconds)) is not None:
            catalog.shadow_latency.of(_method(method)).observe(took)
    if first_differs:
        catalog.shadow_first_differs.of().inc()


@never_raises
def answers_begin(llm: str) -> None:
    """Make the series of an LLM's usual outcomes, because `rate` does not see how a series began."""
    for outcome in catalog.USUAL_OUTCOMES:
        catalog.answers.of(_word(llm), outcome)


@never_raises
def answered(*, llm: str, outcome: str, seconds: float, first_token_s: float | None) -> None:
    """Count an answer.

    Args:
        llm: the kind of LLM that wrote it.
        outcome: how it came out; "abandoned" if nobody waited for its end.
        seconds: how long it took.
        first_token_s: when the first words of the LLM came; None if none did.
    """
    kind = _word(llm)
    catalog.answers.of(kind, _word(outcome)).inc()
    if (took := _number(seconds)) is not None:
        catalog.answer_latency.of(kind).observe(took)
    if (first := _number(first_token_s)) is not None:
        catalog.answer_first_token.of(kind).observe(first)


class _RecentMeans:
    """The mean of the last values by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[tuple[str, str], deque[int]] = {}
        self._lock = threading.Lock()

    def mean_with(self, key: tuple[str, str], value: int) -> float:
        """Add a value and return the mean."""
        with self._lock:
            values = self._values.setdefault(key, deque(maxlen=self._most))
            values.append(value)
            return sum(values) / len(values)


_recent_chunks = _RecentMeans(_RECENT)


def _method(name: str) -> str:
    return name if name in catalog.METHODS else OTHER


def _number(value: object) -> float | None:
    """Return a number from 0 to the largest that is recorded; None for what is no finite number."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(number, 0.0), _LARGEST) if math.isfinite(number) else None


def _told(error: Exception) -> str:
    """Tell of an error by its type alone, for its message may hold a value; but which file, or which name is taken."""
    message = str(error)
    return (
        message if isinstance(error, OSError) or message.startswith("Duplicated timeseries") else type(error).__name__
    )
