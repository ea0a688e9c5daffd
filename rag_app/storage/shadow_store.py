"""Comparisons of the two pipelines: figures alone, of no tenant and without a word of anybody's."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import text

from rag_app.errors import InvalidInputError
from rag_app.storage.database import Database

MAX_HOURS = 24 * 3650

_PRUNE_EVERY = 100
_ADD = text("""
    INSERT INTO rag_app.shadow_comparisons
        (overlap, same_first, old_ms, new_ms, old_chunks, new_chunks, old_degraded, new_degraded)
    VALUES (:overlap, :same_first, :old_ms, :new_ms, :old_chunks, :new_chunks, :old_degraded, :new_degraded)
    RETURNING id
""")
_PRUNE = text("DELETE FROM rag_app.shadow_comparisons WHERE id <= :last")
_SUMMARY = text("""
    SELECT count(*) AS comparisons,
           avg(overlap) AS overlap,
           avg(CAST(same_first AS int))::float8 AS same_first,
           avg(CAST(old_chunks = 0 AND new_chunks > 0 AS int))::float8 AS old_alone_empty,
           avg(CAST(new_chunks = 0 AND old_chunks > 0 AS int))::float8 AS new_alone_empty,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY old_ms) AS old_p50_ms,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY new_ms) AS new_p50_ms,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY old_ms) AS old_p95_ms,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY new_ms) AS new_p95_ms,
           avg(old_chunks)::float8 AS old_chunks,
           avg(new_chunks)::float8 AS new_chunks,
           avg(CAST(old_degraded AS int))::float8 AS old_degraded,
           avg(CAST(new_degraded AS int))::float8 AS new_degraded
    FROM rag_app.shadow_comparisons
    WHERE at > now() - make_interval(secs => :seconds)
""")


@dataclass(frozen=True)
class Comparison:
    """How far the answers of the old and the new pipeline to one question are apart.

    Attributes:
        overlap: the documents in both contexts as a share of those in either, 0 to 1; 1 if both are empty.
        same_first: whether both begin with the same document, or are empty.
        old_ms: the old pipeline's time in milliseconds.
        new_ms: the new one's.
        old_chunks: how many chunks are in the old one's context.
        new_chunks: how many are in the new one's.
        old_degraded: whether a part of the old one failed and was made up for.
        new_degraded: whether one of the new one did.
    """

    overlap: float
    same_first: bool
    old_ms: float
    new_ms: float
    old_chunks: int
    new_chunks: int
    old_degraded: bool
    new_degraded: bool


@dataclass(frozen=True)
class PipelineSummary:
    """How one pipeline did.

    Attributes:
        p50_ms: the median of its time in milliseconds.
        p95_ms: the time in milliseconds that one answer in twenty exceeds.
        chunks: the mean number of chunks.
        alone_empty: the share of the questions for which it found nothing and the other one something.
        degraded: the share of the questions for which a part of it failed.
    """

    p50_ms: float
    p95_ms: float
    chunks: float
    alone_empty: float
    degraded: float


@dataclass(frozen=True)
class ShadowSummary:
    """What the comparisons of the last hours say.

    Attributes:
        hours: how far back they go.
        comparisons: how many there are.
        overlap: the mean overlap, 0 to 1.
        same_first: the share with the same first document.
    """

    hours: float
    comparisons: int
    overlap: float
    same_first: float
    context_retriever: PipelineSummary
    production_rag: PipelineSummary


class ShadowStore:
    """Keeps the latest comparisons, of all processes together.

    Args:
        database: where they are.
        keep: how many are kept, and up to a hundred more until the oldest are deleted.
    """

    def __init__(self, database: Database, *, keep: int = 10_000) -> None:
        self._database = database
        self._keep = keep

    def add(self, comparison: Comparison) -> None:
        """Store a comparison.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        with self._database.transaction() as connection:
            number: int = connection.execute(_ADD, asdict(comparison)).scalar_one()
            if number % _PRUNE_EVERY == 0:
                connection.execute(_PRUNE, {"last": number - self._keep})

    def summary(self, hours: float) -> ShadowSummary | None:
        """Return what the comparisons of the last `hours` say, or None if there are none.

        Raises:
            InvalidInputError: `hours` is not above 0, or over ten years.
            DatabaseUnavailableError: the database does not answer.
        """
        if not 0 < hours <= MAX_HOURS:
            raise InvalidInputError(f"hours must be above 0 and at most {MAX_HOURS}, not {hours:g}")
        with self._database.transaction() as connection:
            row = connection.execute(_SUMMARY, {"seconds": hours * 3600}).one()
        if row.comparisons == 0:
            return None
        return ShadowSummary(
            hours=hours,
            comparisons=row.comparisons,
            overlap=row.overlap,
            same_first=row.same_first,
            context_retriever=PipelineSummary(
                row.old_p50_ms, row.old_p95_ms, row.old_chunks, row.old_alone_empty, row.old_degraded
            ),
            production_rag=PipelineSummary(
                row.new_p50_ms, row.new_p95_ms, row.new_chunks, row.new_alone_empty, row.new_degraded
            ),
        )
