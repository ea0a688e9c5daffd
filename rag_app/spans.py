"""OpenTelemetry spans of requests, their stages and their legs; nothing where OpenTelemetry is not installed.

Names of attributes are OpenInference's (`openinference.span.kind`, `retrieval.documents`, ...) and OpenTelemetry's for
generative AI (`gen_ai.*`); ours begin with `rag_app`. No attribute holds a question or a text.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

Kind = Literal["CHAIN", "RETRIEVER", "RERANKER", "LLM"]
Attribute = str | bool | int | float | Sequence[str]


class Attributes:
    """What a span tells besides its name and time; forgotten where nobody records it."""

    def __init__(self, recording: Any = None) -> None:
        self._recording = recording

    def add(self, attributes: Mapping[str, Attribute | None]) -> None:
        """Tell these too; those that are None are left out."""
        if self._recording is not None:
            self._recording.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def add_documents(self, found: Sequence[tuple[str, float]], prefix: str = "retrieval.documents") -> None:
        """Tell the ids and scores of chunks, best first."""
        if self._recording is not None:
            for place, (node_id, score) in enumerate(found):
                self.add({f"{prefix}.{place}.document.id": node_id, f"{prefix}.{place}.document.score": score})


@contextmanager
def span(name: str, kind: Kind, attributes: Mapping[str, Attribute | None] | None = None) -> Iterator[Attributes]:
    """Make the block a span within the caller's; an exception is told by its type alone."""
    tracer = _tracer()
    if tracer is None:
        yield Attributes()
        return
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        told = Attributes(current if current.is_recording() else None)
        told.add({"openinference.span.kind": kind, **(attributes or {})})
        try:
            yield told
        except BaseException as error:
            told.add({"error.type": type(error).__name__})
            current.set_status(_error_status())
            raise


def record_span(name: str, kind: Kind, seconds: float, attributes: Mapping[str, Attribute | None]) -> None:
    """Tell of something that has just ended and took so long, within the caller's span.

    For generators, whose caller's context is another one each time they go on.
    """
    tracer = _tracer()
    if tracer is not None:
        recorded = tracer.start_span(name, start_time=time.time_ns() - int(seconds * 1e9))
        Attributes(recorded).add({"openinference.span.kind": kind, **attributes})
        recorded.end()


def _tracer() -> Any:
    """Return what makes spans; None where nobody records them."""
    api = _api()
    if api is None or isinstance(api.get_tracer_provider(), api.ProxyTracerProvider):
        return None
    return api.get_tracer("rag_app")


@cache
def _api() -> Any:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace


def _error_status() -> Any:
    from opentelemetry.trace import StatusCode

    return StatusCode.ERROR
