"""Our cross-encoder and LlamaIndex's `SentenceTransformerRerank` with the same model, in turn, as ratios of one run.

Stock is set up as its documentation does: the model's name and `top_n`, in fp32. Both rank the same 20 passages of
mixed lengths on the CPU, a fresh set in each round, with nothing remembered and no deadline. Stock reads the metadata
of a node too, so its time is taken for nodes with a title and a source, with a title as our chunks show it, and with
none. Models are loaded one after the other beside stock's.

GFLOP/s are those of the passages' own tokens, without padding, and for stock without metadata. Their part of the peak,
the speed of this machine's product of two large matrices in that precision, tells how much could be gained at most.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median
from typing import Any

from agreement import Agreement, agreement
from common import Subject, headline, loaded, middle, parser_of, subject_of, write_json
from llama_index.core.schema import QueryBundle
from llama_index.postprocessor.sbert_rerank import SentenceTransformerRerank
from machine import gflop, peak, watched
from passages import METADATA, PAIRS, PassageSet, logits_of
from transformers import AutoConfig

from rag_app.cross_encoder import int8_folder
from rag_app.cross_encoder.export import export_int8
from rag_app.cross_encoder.scorer import PairTokenizer
from rag_app.postprocessors import CrossEncoderRerank

REFERENCE = "fp32"
OTHERS = ("bf16", "int8", "auto")


@dataclass
class Measured:
    """What the rounds of one precision gave, and those of stock in turn with them.

    Attributes:
        chosen: the precision that was run.
        seconds: of our reranker for a set, by round.
        stock: seconds of stock, by what the nodes have beside their text, by round.
        logits: of ours, by round.
        stock_logits: of stock for nodes without metadata, by round.
    """

    chosen: str
    why: str
    seconds: list[float] = field(default_factory=list)
    stock: dict[str, list[float]] = field(default_factory=lambda: {metadata: [] for metadata in METADATA})
    logits: list[list[float]] = field(default_factory=list)
    stock_logits: list[list[float]] = field(default_factory=list)

    def times_as_fast(self, metadata: str) -> list[float]:
        """Return how many times as fast as stock ours was, by round."""
        return [theirs / own for theirs, own in zip(self.stock[metadata], self.seconds, strict=True)]


def measure(subject: Subject, sets: Sequence[PassageSet], others: Sequence[str] = OTHERS) -> dict[str, Measured]:
    """Return what was measured of fp32 and of the other precisions; int8 is exported first, so that auto knows it."""
    if "int8" in others:
        export_int8(subject.folder, int8_folder(subject.folder))
    stock = SentenceTransformerRerank(model=str(subject.folder), top_n=PAIRS, device="cpu")
    measured = {}
    for precision in (REFERENCE, *others):
        with loaded(subject, precision) as ours:
            status = ours.status()
            measured[precision] = Measured(str(status.precision), str(status.why))
            rounds(ours, stock, sets[:1], Measured("", ""))  # what runs for the first time is slow
            rounds(ours, stock, sets, measured[precision])
        gc.collect()
    return measured


def rounds(
    ours: CrossEncoderRerank, stock: SentenceTransformerRerank, sets: Sequence[PassageSet], found: Measured
) -> None:
    """Rank each set with both sides, and add what was found."""
    for drawn in sets:
        query, nodes = drawn.query(), drawn.nodes()
        found.seconds.append(seconds_of(partial(ours.postprocess_nodes, nodes, query)))
        found.logits.append([logit for logit in logits_of(query) if logit is not None])
        for metadata in METADATA:
            nodes, bundle = drawn.nodes(metadata), QueryBundle(drawn.question)
            found.stock[metadata].append(seconds_of(partial(stock.postprocess_nodes, nodes, bundle)))
        found.stock_logits.append([logit_of(node.score or 0.0) for node in nodes])  # it writes into the nodes


def seconds_of(rank: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    rank()
    return time.perf_counter() - started


def logit_of(score: float) -> float:
    """Return what the sigmoid was taken of."""
    return math.log(score / (1 - score))


def work_of(subject: Subject, sets: Sequence[PassageSet]) -> float:
    """Return the GFLOP of a set, without padding; the median of the sets."""
    config, tokenizer = AutoConfig.from_pretrained(subject.folder), PairTokenizer(str(subject.folder), 512)
    return median(
        gflop(
            config,
            [
                len(pair["input_ids"])
                for pair in tokenizer.pairs(drawn.question, [passage.text for passage in drawn.passages])
            ],
        )
        for drawn in sets
    )


def peaks_of(precisions: set[str], size: int = 2048) -> dict[str, float | None]:
    """Return this machine's GFLOP/s in each precision."""
    return {precision: peak(precision, size) for precision in sorted(precisions)}


def higher(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the higher of two measurements of the peaks."""
    return {name: max((figure or 0.0, other.get(name) or 0.0)) or None for name, figure in one.items()}


def show(measured: Mapping[str, Measured], work: float, peaks: Mapping[str, float | None]) -> None:
    """Print the tables."""
    print(f"\nspeed: {'s of 20':>17}{'GFLOP/s':>9}{'of peak':>9}   times as fast as stock that reads")
    print(f"{'':42}   " + "".join(f"{metadata if metadata != 'none' else 'bare text':22}" for metadata in METADATA))
    for name, found in measured.items():
        ratios = "".join(f"{middle(found.times_as_fast(metadata)):22}" for metadata in METADATA)
        print(f"{_speed(_label(name, found), found.seconds, work, peaks.get(found.chosen))}   {ratios}")
    for metadata in METADATA:
        seconds = [second for found in measured.values() for second in found.stock[metadata]]
        print(_speed(f"stock, {metadata}", seconds, work, peaks.get(REFERENCE)))
    reference = measured[REFERENCE].logits
    print(f"\norder against fp32: {'tau':>6}{'least':>8}{'top 8':>8}{'noise':>9}")
    for name, found in measured.items():
        print(_order(_label(name, found), agreement(reference, found.logits)))
    print(_order("stock, bare text", agreement(reference, measured[REFERENCE].stock_logits)))
    if "auto" in measured:
        print(f"auto: {measured['auto'].why}")


def _label(name: str, found: Measured) -> str:
    return name if name == found.chosen else f"{name}: {found.chosen}"


def _speed(name: str, seconds: Sequence[float], work: float, highest: float | None) -> str:
    rate = work / median(seconds)
    part = "unknown" if highest is None else f"{rate / highest:.2f}"
    return f"{name:16}{median(seconds):>8.3f}{rate:>9.0f}{part:>9}"


def _order(name: str, found: Agreement) -> str:
    return f"{name:20}{found.tau:>6.3f}{found.least_tau:>8.3f}{found.same_top:>8.3f}{found.noise:>9.4f}"


def report_of(measured: Mapping[str, Measured], work: float, peaks: Mapping[str, float | None]) -> dict[str, Any]:
    """Return all that was measured, for JSON."""
    reference = measured[REFERENCE].logits
    return {
        "gflop": work,
        "peaks": dict(peaks),
        "precisions": {
            name: {
                **asdict(found),
                "times_as_fast": {metadata: found.times_as_fast(metadata) for metadata in METADATA},
                "agreement": agreement(reference, found.logits)._asdict(),
            }
            for name, found in measured.items()
        },
    }


def main() -> None:
    """Read the arguments, measure, and print the tables."""
    parser = parser_of(__doc__, "base")
    parser.add_argument("--rounds", type=int, default=12, help="sets of passages; each side ranks each once")
    parser.add_argument("--precisions", nargs="+", choices=OTHERS, default=OTHERS, help="beside fp32")
    parser.add_argument("--seed", type=int, default=0, help="of the first set; the next ones count up")
    given = parser.parse_args()
    subject = subject_of(given)
    sets = [subject.draw(given.seed + number) for number in range(given.rounds)]
    work, before = work_of(subject, sets), peaks_of({"fp32", "bf16", "int8"})
    headline(subject, f"{given.rounds} sets of {PAIRS} pairs, {work:.0f} GFLOP each (median)")
    with watched() as others:
        measured = measure(subject, sets, given.precisions)
    print(f"other processes took {others} of the processors")
    peaks = higher(before, peaks_of({"fp32", "bf16", "int8"}))
    print("peak, GFLOP/s: " + ", ".join(f"{name} {figure or math.nan:.0f}" for name, figure in peaks.items()))
    show(measured, work, peaks)
    write_json(given.json, {"subject": subject.name, "others": others.part, **report_of(measured, work, peaks)})


if __name__ == "__main__":
    main()
