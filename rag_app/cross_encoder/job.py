"""One request on its way through the engine: the passages that are still to be scored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from rag_app.cross_encoder.failures import again
from rag_app.cross_encoder.scorer import Features
from rag_app.errors import ComponentError
from rag_app.schema import Deadline

Logits = list[float | None]  # by passage; None for one that was not scored in time


@dataclass(eq=False)
class Job:
    """The passages of one request that are still to be scored, best fused rank first.

    Attributes:
        logits: by passage, those that are remembered from before.
        waiting: the places of the passages that have none yet.
        features: the tokens of those that wait, by place; empty until they are made.
        taken: done when the model is there.
        done: done when there is nothing to wait for any more.
        error: what kept it from being scored.
    """

    query: str
    passages: Sequence[str]
    deadline: Deadline
    logits: Logits
    waiting: list[int]
    features: dict[int, Features] = field(default_factory=dict)
    taken: Future[None] = field(default_factory=Future)
    done: Future[None] = field(default_factory=Future)
    error: ComponentError | None = None

    def take(self) -> None:
        """Tell that the model is there."""
        if not self.taken.done():
            self.taken.set_result(None)

    def finish(self, error: ComponentError | None = None) -> None:
        """End the waiting, with what is scored by now or with an error; what comes later is ignored."""
        if not self.done.done():
            self.error = error
            self.done.set_result(None)
        self.take()

    def put(self, place: int, logit: float) -> None:
        """Note the logit of one passage, unless the request has its answer already."""
        if not self.done.done():
            self.logits[place] = logit
            self.waiting.remove(place)

    def result(self) -> Logits:
        """Return the logits.

        Raises:
            ComponentError: it failed.
        """
        if self.error is not None:
            raise again(self.error)
        return self.logits

    def length(self, place: int) -> int:
        """Return the tokens of one pair."""
        return len(self.features[place]["input_ids"])

    def key(self, place: int) -> bytes:
        """Return what the pair is remembered by."""
        return key_of(self.query, self.passages[place])


def key_of(query: str, passage: str) -> bytes:
    """Return what the logit of a pair is remembered by."""
    return hashlib.blake2b(f"{len(query)} {query}{passage}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
