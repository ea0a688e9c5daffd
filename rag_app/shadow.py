"""Shadow mode: where the old pipeline served, the new one runs beside it, and nothing of it is served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rag_app import metrics
from rag_app.errors import kind_of
from rag_app.logs import get_logger
from rag_app.schema import Deadline, RetrievalQuery, RetrievalResult
from rag_app.storage import Comparison, ShadowStore

logger = get_logger(__name__)

_GRACE_S = 0.5  # for a run that stops at its deadline by itself, to hand over what it has
_CLOSING_S = 1.0


class Shadow:
    """Compares what the new pipeline would have served with what the old one did serve.

    Args:
        run: answers a question by the new pipeline; it is given a query of its own.
        store: keeps the comparisons.
        max_in_flight: how many comparisons may run at once.
        deadline_s: the time that a run has, in seconds.
    """

    def __init__(
        self,
        run: Callable[[RetrievalQuery], Awaitable[RetrievalResult]],
        store: ShadowStore,
        *,
        max_in_flight: int = 1,
        deadline_s: float,
    ) -> None:
        self._run = run
        self._store = store
        self._max_in_flight = max_in_flight
        self._deadline_s = deadline_s
        self._running: set[asyncio.Task[None]] = set()  # the loop itself does not keep a task alive
        self._closed = False

    def offer(self, query: RetrievalQuery, served: RetrievalResult) -> None:
        """Start a comparison on the running loop, or skip it where enough are running; never waits, never raises."""
        if self._closed or len(self._running) >= self._max_in_flight:
            metrics.shadowed("skipped")
            return
        try:
            loop = asyncio.get_running_loop()
            old = _Answer.of(served, served.trace.total_ms)
            task = loop.create_task(self._compare(self._own(query), old))
        except Exception as error:  # noqa: BLE001 - the request is served, and must not notice
            _failed(error)
            return
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def aclose(self) -> None:
        """Wait up to a second for what runs, then cancel it; later offers are skipped."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSING_S)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSING_S)

    def _own(self, query: RetrievalQuery) -> RetrievalQuery:
        """Return the same question with a trace and a deadline of its own."""
        return RetrievalQuery(
            query.query_str,
            tenant=query.tenant,
            sources=query.sources,
            budget=query.budget,
            deadline=Deadline.after(self._deadline_s),
        )

    async def _compare(self, query: RetrievalQuery, old: _Answer) -> None:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(query.deadline.remaining() + _GRACE_S):
                result = await self._run(query)
            new = _Answer.of(result, (time.perf_counter() - started) * 1000)
        except Exception as error:  # noqa: BLE001 - it was for comparison alone
            _failed(error)
            return
        comparison = _comparison(old, new)
        metrics.shadowed(
            "compared",
            overlap=comparison.overlap,
            seconds={old.method: old.ms / 1000, new.method: new.ms / 1000},
            first_differs=not comparison.same_first,
        )
        try:
            await asyncio.to_thread(self._store.add, comparison)
        except Exception as error:  # noqa: BLE001 - the metrics have it
            logger.warning("shadow: a comparison was not stored: %s", kind_of(error))


@dataclass(frozen=True)
class _Answer:
    """What is compared of an answer; `documents` has an entry for each chunk, in their order."""

    method: str
    documents: tuple[str, ...]
    ms: float
    degraded: bool

    @classmethod
    def of(cls, result: RetrievalResult, ms: float) -> _Answer:
        documents = tuple(hit.node.metadata["doc_id"] for hit in result.nodes)
        return cls(result.method, documents, ms, result.degraded)


def _comparison(old: _Answer, new: _Answer) -> Comparison:
    either = {*old.documents, *new.documents}
    return Comparison(
        overlap=len({*old.documents} & {*new.documents}) / len(either) if either else 1.0,
        same_first=old.documents[:1] == new.documents[:1],
        old_ms=old.ms,
        new_ms=new.ms,
        old_chunks=len(old.documents),
        new_chunks=len(new.documents),
        old_degraded=old.degraded,
        new_degraded=new.degraded,
    )


def _failed(error: Exception) -> None:
    metrics.shadowed("failed")
    logger.warning("shadow: the new pipeline was not compared: %s", kind_of(error))
