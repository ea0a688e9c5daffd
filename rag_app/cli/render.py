"""Results as text for a terminal. Persian stands at line ends or on lines of its own, where it disturbs no column."""

from __future__ import annotations

import re

from rag_app.schema import IngestReport, RetrievalResult
from rag_app.trace import ChunkTrace, Ranked

_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f]")  # lines and tabs stay
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"  # keep right-to-left text from reordering what stands beside it


def render_result(result: RetrievalResult) -> str:
    """Return the chunks of the context, the tokens and the stage times."""
    lines = [f"No chunks: {result.reason}"] if result.reason else []
    for place, scored in enumerate(result.nodes, start=1):
        node = scored.node
        doc_id, title = isolated(node.metadata["doc_id"]), isolated(node.metadata["title"])
        lines += [f"[{place}] {doc_id}  score {scored.score or 0:.3f}  {title}"]
        lines += [f"    {isolated(line)}" for line in node.get_content().splitlines() if line.strip()]
    lines += [render_summary(result)]
    lines += [f"warning: {warning}" for warning in result.trace.warnings]
    lines += [
        f"degraded: {entry.stage}: {entry.component} ({entry.reason}), {entry.fallback} served"
        for entry in result.trace.degradations
    ]
    return "\n".join(lines)


def render_summary(result: RetrievalResult) -> str:
    """Return one line: what came out, and how long each stage took."""
    stages = "  ".join(f"{stage.name} {stage.ms:.1f}" for stage in result.trace.stages)
    reranker = f"{result.trace.reranker} ({result.trace.reranker_reason})" if result.trace.reranker else "nothing"
    return (
        f"{len(result.nodes)} chunks, {result.tokens} tokens ({result.token_counter}), reranked by {reranker}; "
        f"ms: {stages}  total {result.trace.total_ms:.1f}"
    )


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


def isolated(text: str) -> str:
    """Return `text` so that right-to-left letters in it do not reorder what stands beside it."""
    shown = plain(text)
    return f"{_ISOLATE}{shown}{_END_ISOLATE}" if shown and not shown.isascii() else shown


def plain(text: str) -> str:
    """Return `text` without what steers a terminal: what documents hold is shown, and does nothing."""
    return _CONTROL.sub("\ufffd", text)
