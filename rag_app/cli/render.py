"""What `rag-app` says at length. Persian stands at line ends or on lines of its own, where it disturbs no column."""

from __future__ import annotations

from rag_app.schema import IngestReport, RetrievalResult
from rag_app.schema.terminal import isolated, plain
from rag_app.trace import ChunkTrace, Ranked


def render_explanation(result: RetrievalResult) -> str:
    """Return stage 1's findings and a table of every candidate: rank and score on each list, and its fate."""
    trace = result.trace
    lines = []
    if (analysis := result.analysis) is not None:
        lines.append(
            f"query analysis: language {analysis.language}, {analysis.complexity} ({analysis.complexity_reason}), "
            f"intent {analysis.intent}, usually answered from "
            f"{', '.join(analysis.preferred_sources) or 'any source'}; phrases: {isolated(analysis.intent_reason)}"
        )
    lines += [
        f"word {isolated(word.typed)} ({word.weight:.1f}): "
        + (", ".join(f"{isolated(match)} {similarity:.2f}" for match, similarity in word.matches.items()) or "nothing")
        for word in trace.words
    ]
    legs = sorted({leg for chunk in trace.chunks.values() for leg in chunk.legs})
    lines.append(_row("context", legs, ["fused", "rerank"], "document", "why it was dropped, or its title"))
    for chunk in sorted(trace.chunks.values(), key=_order):
        fate = f"dropped, {chunk.dropped}" if chunk.dropped else isolated(chunk.title)
        places = [_place(chunk.legs.get(leg)) for leg in legs]
        context = str(chunk.context or "-")
        lines.append(_row(context, places, [_place(chunk.fusion), _place(chunk.rerank)], chunk.doc_id, fate))
    return "\n".join(lines)


def render_ingestion(report: IngestReport, *, prune: bool = False) -> str:
    """Return what became of the documents, and a line for each that was skipped."""
    lines = [
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.chunks} chunks "
        f"written, {report.deleted} deleted, {len(report.skipped)} skipped, in {report.seconds:.1f} s"
    ]
    lines += [f"  skipped {plain(entry.origin)}: {plain(entry.reason)}" for entry in report.skipped]
    if prune and report.skipped:
        lines.append("  nothing was pruned, as what was skipped may be stored already")
    return "\n".join(lines)


def _row(context: str, legs: list[str], lists: list[str], doc_id: str, fate: str) -> str:
    columns = "".join(f"{column:>14}" for column in (*legs, *lists))
    shown = doc_id[:34]
    return f"{context:>7}{columns}  {isolated(shown)}{' ' * (34 - len(shown))}  {fate}"


def _place(ranked: Ranked | None) -> str:
    return f"{ranked.rank:>3} ({ranked.score:.3f})" if ranked is not None else "-"


def _order(chunk: ChunkTrace) -> tuple[int, int, int]:
    last = 10_000
    return (
        chunk.context or last,
        chunk.rerank.rank if chunk.rerank else last,
        chunk.fusion.rank if chunk.fusion else last,
    )
