"""What serves while the application of this process can not be opened: empty results, and flags as configured."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from rag_app.config import Settings
from rag_app.errors import StorageError, kind_of
from rag_app.factory import flags_on, open_requests
from rag_app.flags import FlagService, MemoryFlagStore
from rag_app.logs import REQUEST_ID
from rag_app.request import RetrievalOptions
from rag_app.request_record import count_run, log_request
from rag_app.schema import Emptiness, RetrievalResult
from rag_app.serving import Method


def answer_unopened(
    error: StorageError, settings: Settings, query: str, tenant: str, options: RetrievalOptions, started: float
) -> RetrievalResult:
    """Return the empty result, counted and logged as any other failure of a request is.

    Args:
        error: why the application can not be opened.
        settings: what it would be opened with.
        query: the question.
        tenant: whose documents were to be searched.
        options: what the call says of its retrieval.
        started: when the request came, by `time.perf_counter`.

    Raises:
        InvalidInputError: an argument can not be used.
    """
    request, method = open_requests(settings).checked(query, tenant, options)
    trace, kind = request.trace, kind_of(error)
    trace.degrade("fallback", "database", error, "empty result")
    trace.total_ms = (time.perf_counter() - started) * 1000
    routed: Method = "production_rag" if method == "production_rag" else "context_retriever"
    result = RetrievalResult(
        query=query,
        tenant=request.tenant,
        nodes=(),
        context="",
        tokens=0,
        token_counter="estimate",  # noqa: S106 - no password
        method=routed,
        analysis=None,
        trace=trace,
        emptiness=Emptiness("failed", f"retrieval failed: {kind}"),
        failure=kind,
        variant=routed,
        variant_reason="ERROR" if method == "by_flags" else "CALLED",
    )
    count_run(result, options.get("primary_source"), settings.deadline_s)
    log_request(result, REQUEST_ID.get() or uuid.uuid4().hex[:12])
    return result


@contextmanager
def configured_flags(settings: Settings) -> Iterator[FlagService]:
    """Give the flags as they are where none is set."""
    flags = flags_on(MemoryFlagStore(), settings)
    try:
        yield flags
    finally:
        flags.close()
