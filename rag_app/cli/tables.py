"""Evaluations as text for a terminal: numbers in columns, and what they are of at the end of the line."""

from __future__ import annotations

from collections.abc import Sequence

from rag_app.evaluation import ANSWER_IN_CONTEXT, HOLM_NOTE, Comparison, EvaluationReport, WorstQuery
from rag_app.schema.terminal import isolated
from rag_app.storage import TenantStatistics


def render_report(report: EvaluationReport) -> str:
    """Return the measures by stage and by way of writing, the latency and the notes."""
    names = list(report.measures)
    stages = [[*names, "stage"]]
    for stage, means in report.by_stage.items():
        stages.append([*map(_number, means.values()), stage])
    stages.append([*(_interval(report.confidence[name]) for name in names), "95% interval of rerank"])
    lines = [
        f"{report.queries} queries, {report.documents} documents, {report.degraded} queries degraded, "
        f"{report.empty} without a result",
        "",
        *_table(stages),
    ]
    if report.by_way:
        shown = [*names, *([ANSWER_IN_CONTEXT] if report.answers else [])]
        ways = [[*shown, "queries", "way, after rerank"]]
        for way, means in report.by_way.items():
            numbers = [_number(means[name]) if name in means else "-" for name in shown]
            ways.append([*numbers, str(means["queries"]), isolated(way)])
        lines += ["", *_table(ways)]
    lines += ["", _context(report), _latency(report), *(f"note: {isolated(note)}" for note in report.notes)]
    return "\n".join(lines)


def render_comparison(comparison: Comparison) -> str:
    """Return both reports, and by measure how far the second is ahead of the first."""
    rows = [["a", "b", "b - a", "95% interval", "p", "p by Holm", "stage and measure"]]
    for stage, by_measure in comparison.by_stage.items():
        for name, entry in by_measure.items():
            bounds = " ".join(f"{bound:+.3f}" for bound in entry.interval)
            means = (_number(entry.a), _number(entry.b))
            chances = (f"{entry.p_value:.4f}", f"{entry.p_holm:.4f}")
            rows.append([*means, f"{entry.difference:+.3f}", bounds, *chances, f"{stage} {name}"])
    reports = [f"{name}: {render_report(report)}\n" for name, report in (("a", comparison.a), ("b", comparison.b))]
    return "\n".join([*reports, *_table(rows), HOLM_NOTE])


def render_worst(report: EvaluationReport, worst: Sequence[WorstQuery]) -> str:
    """Return for each query its value, its text, and where each stage has the first of its documents."""
    lines = []
    for query_id, value, outcome in worst:
        places = [f"{stage} {place or '-'}" for stage, place in report.places(query_id).items()]
        lines += [f"{_number(value)}  {query_id}  {isolated(outcome.text)}", f"       place: {'  '.join(places)}"]
        if outcome.answers:
            where = "in the context" if outcome.answer_in_context else "not in the context"
            lines += [f"       answer, {where}: {isolated(outcome.answers[0])}"]
    return "\n".join(lines)


def _context(report: EvaluationReport) -> str:
    sizes = [f"{name} {' '.join(f'{size:.0f}' for size in of.values())}" for name, of in report.context_size.items()]
    if report.answer_in_context is None:
        held = ""
    else:
        bounds = _interval(report.confidence[ANSWER_IN_CONTEXT])
        held = f"answer in context: {_number(report.answer_in_context)} ({bounds}) of {len(report.answers)}; "
    return f"{held}p5, p50 and p95 of a context: {', '.join(sizes)}"


def _latency(report: EvaluationReport) -> str:
    whole = "  ".join(f"{name} {ms:.1f}" for name, ms in report.latency_ms.items())
    stages = "  ".join(f"{stage} {ms['p50']:.1f} {ms['p95']:.1f}" for stage, ms in report.stage_latency_ms.items())
    return f"ms: {whole}; p50 and p95 of each stage: {stages}"


def render_statistics(found: TenantStatistics) -> str:
    """Return what a tenant has stored: documents and chunks by source, sizes, and how it is searched."""
    rows = [["documents", "chunks", "source"]]
    for name, source in found.sources.items():
        rows.append([str(source.documents), str(source.chunks), isolated(name)])
    rows.append([str(found.documents), str(found.chunks), "in all"])
    sizes = ", ".join(f"{kind} {size / 1e6:.1f}" for kind, size in found.bytes.items())
    index = found.dense_index
    measured = (
        f", recall {index.recall:.3f} at ef_search {index.ef_search}, measured at {index.measured_chunks} chunks"
        if index.kind == "hnsw"
        else ""
    )
    return "\n".join(
        [
            *_table(rows),
            f"generation {found.generation}, last write {found.last_write or 'never'}",
            f"MB: {sizes}, dense index {index.bytes / 1e6:.1f}",
            f"dense search: {index.kind}: {index.reason}{measured}",
        ]
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align every column but the last to the right."""
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    return ["  ".join(map(str.rjust, row, [*widths, 0])) for row in rows]


def _number(value: float) -> str:
    return f"{value:.3f}"


def _interval(bounds: tuple[float, float]) -> str:
    return "-".join(map(_number, bounds))
