"""A reranker under a deadline: how long a call takes, how much it scores, and what a batch may add at most.

Each call ranks 20 fresh passages; nothing is remembered. A call may take the deadline and one batch, the time that a
batch under way needs to end. Then the same under 1 ms, in which nothing can be scored: the order that came in, which is
that of fusion, must come out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from common import Subject, batches_timed, headline, loaded, parser_of, percentiles, scored_told, subject_of, write_json
from machine import watched
from passages import PassageSet, logits_of

from rag_app.postprocessors import CrossEncoderRerank
from rag_app.schema import Deadline

NO_TIME_S = 0.001


@dataclass(frozen=True)
class Call:
    """One call: its seconds, how many passages it scored, and whether they came out in the order they went in."""

    seconds: float
    scored: int
    same_order: bool


@dataclass(frozen=True)
class Series:
    """Calls under one deadline, and the seconds of the batches meanwhile."""

    deadline_s: float
    calls: Sequence[Call]
    batches: Sequence[float]

    @property
    def allowed(self) -> float:
        """The deadline and the longest batch, in seconds."""
        return self.deadline_s + max(self.batches, default=0.0)


async def call(reranker: CrossEncoderRerank, drawn: PassageSet, deadline_s: float) -> Call:
    """Rank a set under a deadline that begins now."""
    nodes, query = drawn.nodes(), drawn.query()
    started = time.perf_counter()
    query.deadline = Deadline.after(deadline_s)
    ranked = await reranker.apostprocess_nodes(nodes, query)
    seconds = time.perf_counter() - started
    order = [scored.node.node_id for scored in ranked]
    return Call(
        seconds,
        sum(logit is not None for logit in logits_of(query)),
        order == [given.node.node_id for given in nodes],
    )


async def series(reranker: CrossEncoderRerank, sets: Sequence[PassageSet], deadline_s: float) -> Series:
    """Rank the sets one after the other."""
    with batches_timed(reranker) as batches:
        calls = [await call(reranker, drawn, deadline_s) for drawn in sets]
    return Series(deadline_s, calls, batches)


async def measure(subject: Subject, precision: str, count: int, deadlines: Sequence[float]) -> tuple[str, list[Series]]:
    """Return the precision that was run, and a series for each deadline."""
    sets = [subject.draw(seed) for seed in range(count)]
    with loaded(subject, precision) as reranker:
        await call(reranker, subject.draw(count), 60)  # what runs for the first time is slow
        measured = [await series(reranker, sets, deadline_s) for deadline_s in deadlines]
        return str(reranker.status().precision), measured


def show(measured: Series) -> None:
    """Print what a series shows."""
    calls = measured.calls
    taken = percentiles([call.seconds for call in calls])
    told = "  ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in taken.items())
    longest, beyond = max(measured.batches, default=0.0), taken["max"] - measured.deadline_s
    kept = [sum(call.seconds <= limit for call in calls) for limit in (measured.deadline_s, measured.allowed)]
    print(f"\ndeadline {1000 * measured.deadline_s:g} ms, {len(calls)} calls")
    print(f"time of a call, ms:      {told}")
    print(f"beyond the deadline, ms: {1000 * beyond:.1f} at most; longest batch {1000 * longest:.1f}")
    print(f"deadline kept:           {kept[0]} calls; deadline and longest batch together {kept[1]} calls")
    print(f"passages scored:         {scored_told([call.scored for call in calls])}")
    print(f"order of fusion kept:    {sum(call.same_order for call in calls)} calls")


def report_of(measured: Series) -> dict[str, Any]:
    """Return all that was measured, for JSON."""
    return {**asdict(measured), "allowed_s": measured.allowed}


def main() -> None:
    """Read the arguments, measure, and print."""
    parser = parser_of(__doc__, "large")
    parser.add_argument("--calls", type=int, default=500, help="for each deadline")
    parser.add_argument("--deadline", type=float, default=0.3, help="seconds")
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    subject = subject_of(given)
    with watched() as others:
        precision, measured = asyncio.run(measure(subject, given.precision, given.calls, (given.deadline, NO_TIME_S)))
    headline(subject, precision, f"other processes took {others} of the processors")
    for one in measured:
        show(one)
    report = {"precision": precision, "others": others.part, "series": [report_of(one) for one in measured]}
    write_json(given.json, {"subject": subject.name, **report})


if __name__ == "__main__":
    main()
