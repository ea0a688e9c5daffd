"""What is kept of the answer to one query."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_app.evaluation.answers import holds_answer
from rag_app.evaluation.rankings import rankings_of
from rag_app.schema import RetrievalResult


@dataclass(frozen=True)
class QueryOutcome:
    """One query and what came of it.

    Attributes:
        text: the query, as it was asked.
        way: the way it is written, if it says so.
        answers: texts of which the context should hold one.
        rankings: by stage the documents that were found, best first.
        ms: how long the whole request took.
        stage_ms: how long each stage of the pipeline took.
        chunks: how many the context holds.
        tokens: those of the context, by the result's own counter.
        degradations: the parts that failed, and what served instead.
        answer_in_context: whether the context holds one of the answers; None if there are none.
    """

    text: str
    way: str | None
    answers: Sequence[str]
    rankings: Mapping[str, Sequence[str]]
    ms: float
    stage_ms: Mapping[str, float]
    chunks: int
    tokens: int
    degradations: frozenset[str]
    answer_in_context: bool | None
    _packed: bytes

    @classmethod
    def of(cls, result: RetrievalResult, *, way: str | None = None, answers: Sequence[str] = ()) -> QueryOutcome:
        """Return what is to be kept of a result."""
        trace = result.trace
        return cls(
            text=result.query,
            way=way,
            answers=answers,
            rankings=rankings_of(result),
            ms=trace.total_ms,
            stage_ms={stage.name: stage.ms for stage in trace.stages},
            chunks=len(result.nodes),
            tokens=result.tokens,
            degradations=frozenset(
                f"{entry.stage}: {entry.component} ({entry.reason}), {entry.fallback} served"
                for entry in trace.degradations
            ),
            answer_in_context=holds_answer(result.context, answers) if answers else None,
            _packed=zlib.compress(json.dumps(result.as_dict(), ensure_ascii=False).encode()),  # a twentieth of it
        )

    @property
    def degraded(self) -> bool:
        """Tell whether any part failed."""
        return bool(self.degradations)

    def result(self) -> dict[str, Any]:
        """Return the whole result with its trace, as `RetrievalResult.as_dict` tells it."""
        found: dict[str, Any] = json.loads(zlib.decompress(self._packed))
        return found
