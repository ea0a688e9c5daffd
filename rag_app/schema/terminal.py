"""A result as text for a terminal. Persian stands at line ends or on lines of its own, where it disturbs no column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag_app.gemini import lines_above

if TYPE_CHECKING:
    from rag_app.schema.result import RetrievalResult

_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f]")  # lines and tabs stay
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"  # keep right-to-left text from reordering what stands beside it


def render_result(result: RetrievalResult) -> str:
    """Return the chunks of the context, each below its fields or headings, the tokens and the stage times."""
    lines = [f"No chunks: {result.reason}"] if result.reason else []
    for place, scored in enumerate(result.nodes, start=1):
        node = scored.node
        doc_id, title = isolated(node.metadata["doc_id"]), isolated(node.metadata["title"])
        lines += [f"[{place}] {doc_id}  score {scored.score or 0:.3f}  {title}"]
        if above := "  ".join(map(isolated, lines_above(node))):
            lines.append(f"    {above}")
        lines += [f"    {isolated(line)}" for line in node.get_content().splitlines() if line.strip()]
    return "\n".join([*lines, render_summary(result), *notes(result)])


def render_summary(result: RetrievalResult) -> str:
    """Return one line: what came out, and how long each stage took."""
    stages = "  ".join(f"{stage.name} {stage.ms:.1f}" for stage in result.trace.stages)
    return f"{outcome(result)}; ms: {stages}  total {result.trace.total_ms:.1f}"


def outcome(result: RetrievalResult) -> str:
    """Return how much came out, and what ordered it."""
    reranker = f"{result.trace.reranker} ({result.trace.reranker_reason})" if result.trace.reranker else "nothing"
    return f"{len(result.nodes)} chunks, {result.tokens} tokens ({result.token_counter}), reranked by {reranker}"


def notes(result: RetrievalResult) -> list[str]:
    """Return the warnings, and what served in place of each part that failed."""
    return [f"warning: {warning}" for warning in result.trace.warnings] + [
        f"degraded: {entry.stage}: {entry.component} ({entry.reason}), {entry.fallback} served"
        for entry in result.trace.degradations
    ]


def isolated(text: str) -> str:
    """Return `text` so that right-to-left letters in it do not reorder what stands beside it."""
    shown = plain(text)
    return f"{_ISOLATE}{shown}{_END_ISOLATE}" if shown and not shown.isascii() else shown


def plain(text: str) -> str:
    """Return `text` without what steers a terminal: what documents hold is shown, and does nothing."""
    return _CONTROL.sub("\ufffd", text)
