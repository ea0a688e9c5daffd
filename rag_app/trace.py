"""What happened to one request: stage times, each chunk's way through the stages, degradations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, Literal, NamedTuple, get_args

from rag_app.errors import kind_of
from rag_app.spans import Kind, span

StageName = Literal["query_analysis", "retrieval", "rerank", "context"]
STAGES: tuple[StageName, ...] = get_args(StageName)
_SPAN_KINDS: dict[str, Kind] = {"retrieval": "RETRIEVER", "rerank": "RERANKER", "fallback": "RETRIEVER"}
StepName = StageName | Literal["flags", "fallback"]  # what is asked before the stages, and what stands in for them


class Ranked(NamedTuple):
    """A place in one ordered list; ranks start at 1."""

    rank: int
    score: float


@dataclass(frozen=True)
class WordTrace:
    """A word of the question: what was typed, what it was taken for, its weight, and its best matches in the texts."""

    typed: str
    meant: str
    weight: float
    matches: dict[str, float]


@dataclass
class ChunkTrace:
    """One chunk's way from the legs to the context, or to the place where it was dropped.

    `logit` is what the cross-encoder gave before it was brought to 0-1; None if it did not score the chunk. `tokens` is
    what the chunk costs as the context shows it; None if no budget was kept for it.
    """

    node_id: str
    doc_id: str
    source: str
    title: str
    legs: dict[str, Ranked] = field(default_factory=dict)
    fusion: Ranked | None = None
    rerank: Ranked | None = None
    logit: float | None = None
    context: int | None = None
    tokens: int | None = None
    dropped: str | None = None


@dataclass
class StageTrace:
    """One stage: its duration in milliseconds, and how many chunks left it."""

    name: StepName
    ms: float = 0.0
    candidates: int = 0


@dataclass(frozen=True)
class Degradation:
    """A part that failed or ran out of time, and what served instead."""

    stage: StepName
    component: str
    reason: str
    fallback: str


@dataclass
class Trace:
    """The recorder that travels with a query; components add to it, the result carries it.

    `wordings` are further ones of the question that an LLM wrote and that were searched too.
    """

    stages: list[StageTrace] = field(default_factory=list)
    wordings: list[str] = field(default_factory=list)
    words: list[WordTrace] = field(default_factory=list)
    chunks: dict[str, ChunkTrace] = field(default_factory=dict)
    degradations: list[Degradation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reranker: str | None = None
    reranker_reason: str | None = None
    total_ms: float = 0.0

    @contextmanager
    def stage(self, name: StepName) -> Iterator[StageTrace]:
        """Time a stage; the block sets how many chunks leave it."""
        stage = StageTrace(name)
        self.stages.append(stage)
        started = perf_counter()
        with span(f"rag_app.{name}", _SPAN_KINDS.get(name, "CHAIN")) as told:
            try:
                yield stage
            finally:
                stage.ms = (perf_counter() - started) * 1000
                told.add({"rag_app.candidates": stage.candidates})

    def drop(self, node_id: str, stage: StageName, reason: str) -> None:
        """Note why a chunk goes no further; the first reason stays."""
        chunk = self.chunks.get(node_id)
        if chunk is not None and chunk.dropped is None:
            chunk.dropped = f"{stage}: {reason}"

    def degrade(self, stage: StepName, component: str, error: BaseException | str, fallback: str) -> None:
        """Note that `component` failed and `fallback` served instead.

        An exception is noted by its type or fixed reason alone: its message may hold a customer's words.
        """
        reason = error if isinstance(error, str) else kind_of(error)
        self.degradations.append(Degradation(stage, component, reason, fallback))

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, ready for JSON."""
        data = asdict(self)
        data["chunks"] = list(data["chunks"].values())
        for chunk in data["chunks"]:
            chunk["legs"] = {leg: place._asdict() for leg, place in chunk["legs"].items()}
            for list_name in ("fusion", "rerank"):
                chunk[list_name] = chunk[list_name] and chunk[list_name]._asdict()
        return data
