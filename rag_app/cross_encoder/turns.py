"""Whose turn it is: batches of passages from all requests that wait, within each one's deadline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rag_app.cross_encoder.job import Job
from rag_app.errors import ComponentError

_LONGEST_BATCH_S = 1.0  # for requests without a deadline
_SHARE = 4  # a batch may take this part of the time of the request that has least left: the larger, the less per pair

Batch = Sequence[tuple[Job, int]]  # requests with the place of a passage


class Turns:
    """The requests that wait, and how fast the model is; its engine holds a lock while it calls.

    A batch is the next passage of one request, best fused rank first, and with it the waiting passages of any request
    that are nearest to it in length.
    """

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._tokens_per_s = self._fastest = math.inf

    def begin(self, tokens_per_s: float) -> None:
        """Tell the waiting requests that the model is there, and how fast it is."""
        self._tokens_per_s = self._fastest = tokens_per_s
        for job in self.jobs:
            job.take()

    def finish(self, jobs: Iterable[Job], error: ComponentError | None = None) -> None:
        """Let requests go, with what is scored or with an error."""
        for job in list(jobs):
            job.finish(error)
            if job in self.jobs:  # else it left
                self.jobs.remove(job)

    def fresh(self) -> list[Job]:
        """Return the requests whose passages are not tokenised yet."""
        return [job for job in self.jobs if not job.features]

    def next_batch(self, most_tokens: int) -> Batch:
        """Return the next passages to score, none if no request has time for one; those without time are let go."""
        ready = [job for job in self.jobs if job.features]
        late = [job for job in ready if job.deadline.remaining() < job.length(job.waiting[0]) / self._tokens_per_s]
        self.finish(late)
        ready = [job for job in ready if not job.done.done()]
        if not ready:
            if late:  # nothing measures the speed while nothing is scored, and one slow moment must not be for ever
                self._tokens_per_s = min(self._fastest, 1.1 * self._tokens_per_s)
            return []
        lead = ready[0]
        self.jobs.remove(lead)
        self.jobs.append(lead)  # the others come before its next turn
        longest = lead.length(lead.waiting[0])
        seconds = min(job.deadline.remaining() for job in ready) / _SHARE
        tokens = min(most_tokens, self._tokens_per_s * min(_LONGEST_BATCH_S, seconds))
        batch = [(lead, lead.waiting[0])]
        others = [(job, place) for job in ready for place in job.waiting if (job, place) != batch[0]]
        for job, place in sorted(others, key=lambda pair: abs(pair[0].length(pair[1]) - longest)):
            longest = max(longest, job.length(place))
            if (len(batch) + 1) * longest > tokens:
                break
            batch.append((job, place))
        return batch

    def scored(self, batch: Batch, logits: Sequence[float], seconds: float) -> None:
        """Give the requests their logits, and learn how fast the model was."""
        rate = len(batch) * max(job.length(place) for job, place in batch) / max(seconds, 1e-6)
        self._tokens_per_s += (rate - self._tokens_per_s) / 4
        self._fastest = max(self._fastest, rate)
        for (job, place), logit in zip(batch, logits, strict=True):
            job.put(place, logit)
        self.finish(job for job in self.jobs if not job.waiting)
