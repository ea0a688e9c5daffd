"""Requests at the same time on one model: throughput, deadlines, and whether a request gets another's scores.

16 requests with questions and passages of their own are ranked at the same time, and one after the other, in turn. Then
they come at the same time with a deadline each. Last, each pair is scored alone, and its logit compared with the one
that it got among all the others.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import pstdev

from common import Subject, batches_timed, headline, loaded, middle, parser_of, scored_told, subject_of, write_json
from machine import watched
from passages import PAIRS, PassageSet, logits_of

from rag_app.postprocessors import CrossEncoderRerank
from rag_app.postprocessors.cross_encoder import calibrated
from rag_app.schema import Deadline

TOLERANCE = {"fp32": 1e-4, "bf16": 1e-3}  # of a score; int8's scale depends on the batch


@dataclass(frozen=True)
class Answer:
    """What a request got, and how long after its deadline it came."""

    logits: list[float | None]
    overrun: float = 0.0


@dataclass(frozen=True)
class CrossTalk:
    """Scores that pairs got among others, against those that they get alone.

    Attributes:
        pairs: how many were compared.
        difference: the greatest, of scores.
        spread: the standard deviation of the scores, to which a mix-up would be like.
    """

    precision: str
    pairs: int
    difference: float
    spread: float

    @property
    def verdict(self) -> str:
        """Whether the difference is within what the precision allows."""
        allowed = TOLERANCE.get(self.precision)
        if allowed is None:
            return "no limit is set"
        return f"{'within' if self.difference <= allowed else 'BEYOND'} {allowed:g}"


@dataclass
class Measured:
    """What was measured in one precision.

    Attributes:
        together: seconds of all requests at the same time, by round.
        in_turn: seconds of the same requests one after the other, by round.
        answers: of the requests with a deadline, of all rounds.
        batches: seconds of each batch meanwhile.
    """

    precision: str = ""
    together: list[float] = field(default_factory=list)
    in_turn: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)
    cross_talk: list[CrossTalk] = field(default_factory=list)


async def request(reranker: CrossEncoderRerank, drawn: PassageSet, deadline_s: float | None = None) -> Answer:
    """Rank one set."""
    query = drawn.query(None if deadline_s is None else Deadline.after(deadline_s))
    await reranker.apostprocess_nodes(drawn.nodes(), query)
    overrun = 0.0 if deadline_s is None else max(0.0, time.monotonic() - query.deadline.at)
    return Answer(logits_of(query), overrun)


async def all_at_once(
    reranker: CrossEncoderRerank, sets: Sequence[PassageSet], deadline_s: float | None = None
) -> list[Answer]:
    """Rank the sets at the same time."""
    return await asyncio.gather(*(request(reranker, drawn, deadline_s) for drawn in sets))


async def throughput(reranker: CrossEncoderRerank, rounds: Sequence[Sequence[PassageSet]], found: Measured) -> None:
    """Rank the sets of each round at the same time, and then one after the other."""
    for sets in rounds:
        started = time.perf_counter()
        await all_at_once(reranker, sets)
        halfway = time.perf_counter()
        for drawn in sets:
            await request(reranker, drawn)
        found.together.append(halfway - started)
        found.in_turn.append(time.perf_counter() - halfway)


async def deadlines(
    reranker: CrossEncoderRerank, rounds: Sequence[Sequence[PassageSet]], deadline_s: float, found: Measured
) -> None:
    """Rank the sets of each round at the same time, each with a deadline."""
    with batches_timed(reranker) as found.batches:
        for sets in rounds:
            found.answers += await all_at_once(reranker, sets, deadline_s)


async def cross_talk(reranker: CrossEncoderRerank, sets: Sequence[PassageSet], deadline_s: float) -> CrossTalk:
    """Compare what pairs get at the same time, with and without a deadline, with what each gets alone."""
    crowded = [await all_at_once(reranker, sets), await all_at_once(reranker, sets, deadline_s)]
    alone = [
        (await request(reranker, PassageSet(drawn.question, (passage,)))).logits[0]
        for drawn in sets
        for passage in drawn.passages
    ]
    differences = [
        abs(calibrated(one) - calibrated(other))
        for answers in crowded
        for one, other in zip((logit for answer in answers for logit in answer.logits), alone, strict=True)
        if one is not None and other is not None
    ]
    spread = pstdev([calibrated(logit) for logit in alone if logit is not None])
    return CrossTalk(str(reranker.status().precision), len(differences), max(differences), spread)


async def measure(subject: Subject, precision: str, given: argparse.Namespace) -> Measured:
    """Measure all of it in a precision, and the scores once more in fp32, whose noise is the least."""
    sets = [subject.draw(seed) for seed in range(given.requests * given.rounds)]
    rounds = [sets[start : start + given.requests] for start in range(0, len(sets), given.requests)]
    found = Measured()
    with loaded(subject, precision) as reranker:
        found.precision = str(reranker.status().precision)
        await request(reranker, sets[0])  # what runs for the first time is slow
        await throughput(reranker, rounds, found)
        await deadlines(reranker, rounds, given.deadline, found)
        found.cross_talk.append(await cross_talk(reranker, rounds[0], given.deadline))
    if found.precision != "fp32":
        with loaded(subject, "fp32") as reranker:
            found.cross_talk.append(await cross_talk(reranker, rounds[0], given.deadline))
    return found


def show(found: Measured, given: argparse.Namespace) -> None:
    """Print what was measured."""
    ratios = [one / other for one, other in zip(found.in_turn, found.together, strict=True)]
    print(f"\n{given.requests} requests of {PAIRS} pairs, {given.rounds} rounds in turn")
    print(f"at the same time, s:       {middle(found.together)}")
    print(f"one after the other, s:    {middle(found.in_turn)}")
    print(f"throughput, times:         {middle(ratios)}")
    scored = [sum(logit is not None for logit in answer.logits) for answer in found.answers]
    overrun = max(answer.overrun for answer in found.answers)
    print(f"\ndeadline {given.deadline:g} s, {len(found.answers)} requests")
    print(f"beyond the deadline, ms:   {1000 * overrun:.1f} at most; longest batch {1000 * max(found.batches):.1f}")
    print(f"passages scored:           {scored_told(scored)}")
    print("\nscores among others against scores alone")
    for talk in found.cross_talk:
        print(
            f"{talk.precision:8}{talk.pairs} pairs, greatest difference {talk.difference:.1e}, {talk.verdict}; "
            f"scores spread by {talk.spread:.1e}"
        )


def main() -> None:
    """Read the arguments, measure, and print."""
    parser = parser_of(__doc__, "base")
    parser.add_argument("--requests", type=int, default=16, help="at the same time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deadline", type=float, default=2.0, help="seconds")
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    subject = subject_of(given)
    with watched() as others:
        found = asyncio.run(measure(subject, given.precision, given))
    headline(subject, found.precision, f"other processes took {others} of the processors")
    show(found, given)
    write_json(given.json, {"subject": subject.name, "others": others.part, **asdict(found)})


if __name__ == "__main__":
    main()
