"""One loaded model for all requests of a process: scoring by batches up to each request's deadline, and its life."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from rag_app import metrics
from rag_app.breaker import CircuitBreaker
from rag_app.cross_encoder.exit import closed_at_exit, joined_at_exit
from rag_app.cross_encoder.failures import again, as_component_error, invalid_scores
from rag_app.cross_encoder.job import Job, Logits, key_of
from rag_app.cross_encoder.loading import LoadedModel, ModelSpec, load_model
from rag_app.cross_encoder.scorer import Scorer
from rag_app.cross_encoder.status import DEFAULT_OPTIONS, EngineOptions, State, Status
from rag_app.cross_encoder.turns import Turns
from rag_app.cross_encoder.warming import warm_up
from rag_app.errors import ComponentError
from rag_app.logs import get_logger
from rag_app.schema import Deadline

logger = get_logger(__name__)

NO_DEADLINE = Deadline()


class ScoringEngine:
    """Scores pairs of query and passage with one model, in one thread of its own.

    The thread loads the model when it is first needed. It then takes turns between the requests that wait: the next
    passage of one of them, best fused rank first, and with it, in one batch, the waiting passages of any request that
    are nearest to it in length. A request gets what was scored when its deadline comes. A load that fails, or hangs, or
    scores that are no numbers, open a breaker: until it is tried again, requests fail at once. A thread that hangs is
    left to itself; it keeps nothing from going on, nor the process from ending.

    Args:
        spec: which model, and how to run it.
        options: its times and sizes.
        load: how a model is loaded.
    """

    def __init__(
        self,
        spec: ModelSpec,
        options: EngineOptions = DEFAULT_OPTIONS,
        load: Callable[[ModelSpec], LoadedModel] = load_model,
    ) -> None:
        self.spec = spec
        self._options = options
        self._load = load
        self._breaker = CircuitBreaker(options.retry_after_s)
        self._cache: OrderedDict[bytes, float] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._turns = Turns()
        self._loaded: LoadedModel | None = None
        self._load_started = 0.0
        self._load_seconds = 0.0
        self._error: ComponentError | None = None
        self._closed = False
        closed_at_exit(self)

    def score(self, query: str, passages: Sequence[str], deadline: Deadline = NO_DEADLINE) -> Logits:
        """Return the logit of each passage, None for those that were not scored when the deadline came.

        While the model loads, a request waits at most half of the time that it has.

        Raises:
            ComponentError: the model can not be used; `reason` says why.
        """
        job = self._submit(query, passages, deadline)
        try:
            with suppress(TimeoutError):
                job.taken.result(self._patience(deadline))
            self._require_taken(job)
            with suppress(TimeoutError):
                job.done.result(_seconds(deadline))
        finally:
            self._leave(job)
        return job.result()

    async def ascore(self, query: str, passages: Sequence[str], deadline: Deadline = NO_DEADLINE) -> Logits:
        """Do what `score` does, without blocking the loop."""
        job = self._submit(query, passages, deadline)
        try:
            await asyncio.wait({asyncio.wrap_future(job.taken)}, timeout=self._patience(deadline))
            self._require_taken(job)
            await asyncio.wait({asyncio.wrap_future(job.done)}, timeout=_seconds(deadline))
        finally:
            self._leave(job)
        return job.result()

    def begin_load(self) -> None:
        """Load the model unless it is loaded, without waiting for it."""
        with self._changed:
            self._start()

    def load(self) -> Status:
        """Load the model unless it is loaded, wait for it, and return what can be told of it."""
        with self._changed:
            self._start()
            while self._state() == "loading":
                self._changed.wait(self._load_started + self._options.load_timeout_s - time.monotonic())
        return self.status()

    def status(self) -> Status:
        """Return what can be told of the model now."""
        with self._changed:
            state = self._state()
            told = Status(
                self.spec.model,
                state,
                error=str(self._error) if self._error else None,
                seconds_to_retry=self._breaker.seconds_to_retry(),
            )
            if self._loaded is None:
                return told
            scorer, choice = self._loaded.scorer, self._loaded.choice
            return replace(
                told,
                precision=choice.precision,
                device=scorer.device,
                why=choice.why,
                folder=str(self._loaded.folder),
                megabytes=scorer.megabytes,
                load_seconds=self._load_seconds,
            )

    @property
    def model(self) -> LoadedModel | None:
        """The model, if it is loaded now."""
        return self._loaded

    def close(self) -> None:
        """Give the model's memory back for good; requests that wait get what was scored."""
        with self._changed:
            self._end()
            self._error = ComponentError(f"the reranker {self.spec.model!r} was closed", "closed")
            self._closed = True

    # What follows is called with the lock held, unless it says otherwise.

    def _submit(self, query: str, passages: Sequence[str], deadline: Deadline) -> Job:
        """Queue a request; takes the lock itself."""
        with self._changed:
            logits: Logits = [self._remembered(key_of(query, passage)) for passage in passages]
        waiting = [place for place, logit in enumerate(logits) if logit is None]
        metrics.cache_used("rerank_scores", hits=len(passages) - len(waiting), misses=len(waiting))
        job = Job(query, passages, deadline, logits, waiting)
        with self._changed:
            if not waiting:
                job.finish()
                return job
            self._start()
            if self._thread is None:
                raise again(self._error)
            if self._loaded is not None:
                job.take()
            self._turns.jobs.append(job)
            self._changed.notify_all()
        return job

    def _leave(self, job: Job) -> None:
        """Take a request out, with what is scored by now; takes the lock itself."""
        with self._changed:
            self._turns.finish([job])

    def _patience(self, deadline: Deadline) -> float:
        """Return how long a request may wait for the model, in seconds; takes the lock itself."""
        with self._changed:
            if self._error is not None and deadline.at < math.inf:
                return 0.0  # it failed before and is tried again, which no customer should wait for
            load_left = max(0.0, self._load_started + self._options.load_timeout_s - time.monotonic())
        return min(load_left, deadline.remaining() / 2)

    def _require_taken(self, job: Job) -> None:
        """Raise unless the model is there; takes the lock itself."""
        with self._changed:
            self._state()  # ends a load that hangs
            if not job.taken.done():
                raise again(self._error)

    def _state(self) -> State:
        if self._thread is not None and not self._thread.is_alive():
            self._end()  # this process was forked from the one whose thread it was
        if self._thread is not None:
            if self._loaded is not None:
                return "ready"
            if time.monotonic() < self._load_started + self._options.load_timeout_s:
                return "loading"
            self._fail(
                ComponentError(
                    f"the reranker {self.spec.model!r} was not loaded within {self._options.load_timeout_s:g} s: look "
                    "at the disk that holds it, or allow more by rerank.load_timeout_s",
                    "load timed out",
                )
            )
        return "failed" if self._error else "not loaded"

    def _start(self) -> None:
        """Begin to load, unless the model is there, is being loaded, or must not be tried yet."""
        if self._closed or self._state() in ("ready", "loading") or not self._breaker.allows():
            return
        self._load_started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="cross-encoder", daemon=True)
        joined_at_exit(self._thread)
        self._thread.start()

    def _end(self, error: ComponentError | None = None) -> None:
        """Part with the thread, which ends when it sees it, and with all it had."""
        if error is None:
            self._breaker = CircuitBreaker(self._options.retry_after_s)  # the thread will not tell how its try went
        self._thread, self._loaded, self._error = None, None, error
        self._turns.finish(self._turns.jobs, error)
        self._cache.clear()  # another load may bring other weights
        self._changed.notify_all()

    def _fail(self, error: ComponentError) -> None:
        self._breaker.failed()
        self._end(error)
        logger.warning(
            "Rerank: %s can not be used (%s), tried again in %.0f s: %s",
            self.spec.model,
            error.reason,
            self._breaker.seconds_to_retry(),
            error,
        )

    def _remembered(self, key: bytes) -> float | None:
        if key in self._cache:
            self._cache.move_to_end(key)
        return self._cache.get(key)

    # The thread; it takes the lock itself.

    def _run(self) -> None:
        me = threading.current_thread()
        try:
            loaded = self._load(self.spec)
            rate = warm_up(loaded.scorer)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, requests must hear of it
            self._fail_of(me, as_component_error(self.spec.model, error))
            return
        with self._changed:
            if self._thread is not me:
                return
            self._loaded, self._error = loaded, None
            self._load_seconds = time.monotonic() - self._load_started
            self._breaker.succeeded()
            self._turns.begin(rate)
            self._changed.notify_all()
        logger.info("Rerank: %s is loaded in %s: %s", self.spec.model, loaded.choice.precision, loaded.choice.why)
        try:
            while self._thread is me:
                self._serve(me, loaded.scorer)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail_of(me, as_component_error(self.spec.model, error))

    def _fail_of(self, thread: threading.Thread, error: ComponentError) -> None:
        with self._changed:
            if self._thread is thread:  # else it was given up, and its failure is known
                self._fail(error)

    def _serve(self, me: threading.Thread, scorer: Scorer) -> None:
        """Score one batch."""
        with self._changed:
            while self._thread is me and not self._turns.jobs:
                self._changed.wait()
            fresh = self._turns.fresh() if self._thread is me else []
        for job in fresh:
            self._tokenize(job, scorer)
        with self._changed:
            batch = self._turns.next_batch(scorer.batch_tokens) if self._thread is me else []
        if not batch:
            return
        started = time.monotonic()
        logits = scorer.logits([job.features[place] for job, place in batch])
        seconds = time.monotonic() - started
        if not all(map(math.isfinite, logits)):
            raise invalid_scores()
        with self._changed:
            if self._thread is not me:
                return  # the requests have their answers, and the memory of scores is another model's
            for (job, place), logit in zip(batch, logits, strict=True):
                self._cache[job.key(place)] = logit
            while len(self._cache) > self._options.cache_size:
                self._cache.popitem(last=False)
            self._turns.scored(batch, logits, seconds)

    def _tokenize(self, job: Job, scorer: Scorer) -> None:
        try:
            tokens = scorer.tokenize(job.query, [job.passages[place] for place in job.waiting])
        except Exception as error:  # noqa: BLE001 - a text that no tokenizer takes fails its own request alone
            reason = f"the question or a passage can not be tokenised ({type(error).__name__})"
            with self._changed:
                self._turns.finish([job], ComponentError(reason, "text not tokenised"))
        else:
            job.features = dict(zip(job.waiting, tokens, strict=True))


def _seconds(deadline: Deadline) -> float | None:
    left = deadline.remaining()
    return None if left == math.inf else left
