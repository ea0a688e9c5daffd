"""Which pipeline answers a request, what stands in when it fails, and who is told."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

from rag_app.errors import kind_of
from rag_app.flags import Evaluation, FlagService
from rag_app.logs import REQUEST_ID, get_logger, key_values
from rag_app.pipeline import RetrievalPipeline
from rag_app.request_record import count_run, log_request
from rag_app.schema import Emptiness, RequestOptions, RetrievalQuery, RetrievalResult
from rag_app.shadow import Shadow
from rag_app.simple_pipeline import SimplePipeline
from rag_app.spans import Attributes, span
from rag_app.storage import ShadowStore
from rag_app.trace import Trace

logger = get_logger(__name__)

AT_ONCE = 2 * (os.cpu_count() or 1)  # pipelines; of more, each gets too little of the processors to end in time
LAST_RESORT_S = 1.0  # the pipelines keep the deadline by themselves; this ends one that does not
Method = Literal["production_rag", "context_retriever", "by_flags"]


class RetrievalService:
    """Answers every request, whatever fails: by the new pipeline, else by the old one, else by an empty result.

    Args:
        production: the new pipeline.
        simple: the old one, and the fallback.
        flags: what they say holds for the next request.
        use_model: has the cross-encoder rank with another model; None where there is no cross-encoder.
        model: the model that it ranks with now.
        shadow_store: keeps the comparisons of the two pipelines.
        shadow_max_in_flight: how many comparisons may run at once.
        deadline_s: the time that a request has.
        log_query_text: whether questions may be logged, at level DEBUG.
    """

    def __init__(
        self,
        *,
        production: RetrievalPipeline,
        simple: SimplePipeline,
        flags: FlagService,
        use_model: Callable[[str], None] | None,
        model: str,
        shadow_store: ShadowStore,
        shadow_max_in_flight: int,
        deadline_s: float,
        log_query_text: bool,
    ) -> None:
        self.production = production
        self.simple = simple
        self.flags = flags
        self._use_model = use_model
        self._model = model
        self._shadow = Shadow(
            self._run_in_shadow, shadow_store, max_in_flight=shadow_max_in_flight, deadline_s=deadline_s
        )
        self._deadline_s = deadline_s
        self._log_query_text = log_query_text
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._mean_s = 0.0

    async def answer(self, query: RetrievalQuery, method: Method) -> RetrievalResult:
        """Run the pipeline that is asked for, or that the flags choose for the tenant, and tell how it went."""
        started = time.perf_counter()
        request_id = REQUEST_ID.get() or uuid.uuid4().hex[:12]
        with span("rag_app.retrieve", "CHAIN", {"rag_app.request": request_id}) as told:
            routed = self._routed(query, method)
            async with self._place(query):
                runs = await self._run(query, production=bool(routed.value))
            result = replace(
                _standing_in(*runs),
                variant=self.production.method if routed.value else self.simple.method,
                variant_reason=routed.reason,
            )
            _tell(told, result)
        result.trace.total_ms = runs[0].trace.total_ms = (time.perf_counter() - started) * 1000
        self._measure(query, runs)
        self._log(result, request_id)
        if method == "by_flags" and not routed.value:
            self._offer_to_shadow(query, result, request_id)
        return result

    @property
    def expected_wait_s(self) -> float:
        """How long a request that came now would wait for its turn, as the last ones went."""
        return self._waiting * self._mean_s / AT_ONCE

    @asynccontextmanager
    async def _place(self, query: RetrievalQuery) -> AsyncIterator[None]:
        """Run the block when others have ended; who has waited for half of its time goes on beside them."""
        self._waiting += 1
        try:
            async with asyncio.timeout(query.deadline.remaining() / 2):
                await self._places.acquire()
            waited = True
        except TimeoutError:
            waited = False
        finally:
            self._waiting -= 1
        started = time.perf_counter()
        try:
            yield
        finally:
            self._mean_s += (time.perf_counter() - started - self._mean_s) / 10
            if waited:
                self._places.release()

    async def aclose(self) -> None:
        """End the comparisons that run."""
        await self._shadow.aclose()

    def _routed(self, query: RetrievalQuery, method: Method) -> Evaluation:
        if method == "by_flags":
            try:
                return self.flags.evaluate("production_rag", query.tenant)
            except Exception as error:  # noqa: BLE001 - whatever becomes of the flags, the old way serves
                query.trace.degrade("flags", "routing", error, self.simple.method)
                return Evaluation("production_rag", False, "off", "ERROR")
        on = method == self.production.method
        return Evaluation("production_rag", on, "on" if on else "off", "CALLED")

    async def _run(self, query: RetrievalQuery, *, production: bool) -> list[RetrievalResult]:
        """Return the results of the one or two pipelines that ran; the last one serves."""
        if not production:
            return [await self._safely(query, self.simple)]
        query.options = self._options(query.trace)
        new = await self._safely(query, self.production)
        if new.failure is None:
            return [new]
        with query.trace.stage("fallback") as stage:
            old = await self._safely(replace(query, trace=Trace(), options=RequestOptions(), reading=None), self.simple)
            stage.candidates = len(old.nodes)
        return [new, old]

    async def _safely(self, query: RetrievalQuery, pipeline: RetrievalPipeline | SimplePipeline) -> RetrievalResult:
        """Run a pipeline; if it raises or is late, which it should not, return an empty result that says so."""
        try:
            async with asyncio.timeout(query.deadline.remaining() + LAST_RESORT_S):
                return await pipeline.arun(query)
        except Exception as error:  # noqa: BLE001 - a request never fails for a component
            kind = kind_of(error)
            logger.warning("%s failed: %s", pipeline.method, kind)
            query.trace.degrade("fallback", pipeline.method, error, "fallback")
            emptiness = Emptiness("failed", f"retrieval failed: {kind}")
            return pipeline.writer.result(
                query, pipeline.method, pipeline.writer.nothing(), emptiness=emptiness, failure=kind
            )

    async def _run_in_shadow(self, query: RetrievalQuery) -> RetrievalResult:
        query.options = self._options(query.trace)
        return await self.production.arun(query)

    def _options(self, trace: Trace) -> RequestOptions:
        """Return what the flags set for a request, and have the cross-encoder follow its flag."""
        try:
            model = str(self.flags.get_value("rerank_model"))
            if self._use_model is not None and model != self._model:
                self._model = model
                asyncio.get_running_loop().run_in_executor(None, self._use_model, model)
            return RequestOptions(
                dense_top_k=self.flags.get_value("dense_top_k"),
                sparse_top_k=self.flags.get_value("sparse_top_k"),
                fusion_top_k=self.flags.get_value("fusion_top_k"),
                rerank_top_k=self.flags.get_value("rerank_top_k"),
                cross_encoder=self.flags.is_enabled("cross_encoder_reranking"),
            )
        except Exception as error:  # noqa: BLE001 - the components keep to what they were built with
            trace.degrade("flags", "options", error, "settings")
            return RequestOptions()

    def _offer_to_shadow(self, query: RetrievalQuery, result: RetrievalResult, request_id: str) -> None:
        try:
            if self.flags.is_enabled("production_rag_shadow_percentage", request_id):
                self._shadow.offer(query, result)
        except Exception as error:  # noqa: BLE001 - nothing of it is served
            logger.warning("shadow mode failed: %s", kind_of(error))

    def _measure(self, query: RetrievalQuery, runs: Sequence[RetrievalResult]) -> None:
        """Count each run under its own pipeline; a request that fell over took the first one's time and its own."""
        primary_source = query.budget.primary_source if query.budget is not None else None
        for run in runs:
            count_run(run, primary_source, self._deadline_s)

    def _log(self, result: RetrievalResult, request_id: str) -> None:
        log_request(result, request_id)
        if self._log_query_text and logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s", key_values({"request": request_id, "query": result.query}))


def _tell(told: Attributes, result: RetrievalResult) -> None:
    told.add(
        {
            "rag_app.tenant": result.tenant,
            "rag_app.method": result.method,
            "rag_app.variant": result.variant,
            "rag_app.variant_reason": result.variant_reason,
            "rag_app.tokens": result.tokens,
            "rag_app.reranker": result.trace.reranker,
            "rag_app.empty": result.emptiness.kind if result.emptiness is not None else None,
            "rag_app.degraded": [f"{entry.component}: {entry.reason}" for entry in result.trace.degradations],
            "error.type": result.failure,
        }
    )
    told.add_documents([(scored.node.node_id, scored.score or 0.0) for scored in result.nodes])


def _standing_in(new: RetrievalResult, old: RetrievalResult | None = None) -> RetrievalResult:
    """Return what is served: the answer of the last pipeline that ran, with the trace of both."""
    if old is None:
        return new
    trace = replace(
        new.trace,
        chunks={**new.trace.chunks, **old.trace.chunks},
        degradations=[*new.trace.degradations, *old.trace.degradations],
    )
    emptiness = None if old.nodes else new.emptiness
    return replace(old, trace=trace, analysis=new.analysis, emptiness=emptiness)
