"""Evaluations as text for a terminal: numbers in columns, and what they are of at the end of the line."""

from __future__ import annotations

from collections.abc import Sequence

from rag_app.evaluation import Comparison, EvaluationReport
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
        ways = [[*names, "queries", "way, after rerank"]]
        for way, means in report.by_way.items():
            ways.append([*(_number(means[name]) for name in names), str(means["queries"]), isolated(way)])
        lines += ["", *_table(ways)]
    lines += ["", _latency(report), *(f"note: {isolated(note)}" for note in report.notes)]
    return "\n".join(lines)


def render_comparison(comparison: Comparison) -> str:
    """Return both reports, and by measure how far the second is ahead of the first."""
    rows = [["a", "b", "b - a", "95% interval", "p", "measure, after rerank"]]
    for name, entry in comparison.difference.items():
        bounds = " ".join(f"{bound:+.3f}" for bound in entry.interval)
        means = (_number(entry.a), _number(entry.b))
        rows.append([*means, f"{entry.difference:+.3f}", bounds, f"{entry.p_value:.4f}", name])
    reports = [f"{name}: {render_report(report)}\n" for name, report in (("a", comparison.a), ("b", comparison.b))]
    return "\n".join([*reports, *_table(rows)])


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
