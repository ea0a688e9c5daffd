"""The plots of the report: SVG that stands within the page, takes its colours and leaves the letters to the browser."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag_app.evaluation.extra import library
from rag_app.evaluation.report import EvaluationReport

if TYPE_CHECKING:
    from rag_app.evaluation.comparison import Comparison

# Colours that stand for the page's own, which differ in light and dark.
_INK, _MUTED, _LINE = "#000001", "#000002", "#000003"
_SERIES = ("#000011", "#000012", "#000013", "#000014", "#000015", "#000016")
_VARIABLES = {
    _INK: "--ink",
    _MUTED: "--muted",
    _LINE: "--line",
    **{colour: f"--series-{number}" for number, colour in enumerate(_SERIES, start=1)},
}
_STYLE = {
    "svg.fonttype": "none",  # text stays text: a browser joins Persian letters, which matplotlib does not
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _INK,
    "ytick.left": False,
    "legend.frameon": False,
}
_WIDTH, _ROW = 8.4, 0.36  # inches


def plot_means(rows: Mapping[str, Mapping[str, float]], label: str) -> str:
    """Return a row for each entry with a dot for each of its means.

    Args:
        rows: by entry, such as a stage, the means by measure.
        label: what the dots are.
    """
    names = list(dict.fromkeys(name for means in rows.values() for name in means))

    def draw(axes: Any) -> None:
        for place, name in enumerate(names):
            points = [(means[name], row) for row, means in enumerate(rows.values()) if name in means]
            values, at = zip(*points, strict=True)
            axes.scatter(values, at, s=46, color=_SERIES[place % len(_SERIES)], label=name, alpha=0.9, linewidths=0)
        _rows(axes, list(rows), label)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(names), handletextpad=0.1)

    return _drawn(draw, len(rows))


def plot_latency(report: EvaluationReport) -> str:
    """Return how long the stages and the whole request take: the median as a bar, the 95th percentile as a line."""
    rows = {**report.stage_latency_ms, "whole request": report.latency_ms}

    def draw(axes: Any) -> None:
        medians, slow = ([times[name] for times in rows.values()] for name in ("p50", "p95"))
        axes.barh(range(len(rows)), medians, height=0.5, color=_SERIES[0], label="p50")
        axes.hlines(range(len(rows)), medians, slow, color=_SERIES[1], linewidth=2.5, label="to p95")
        _rows(axes, list(rows), "ms")
        axes.set_xlim(left=0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    return _drawn(draw, len(rows))


def plot_histogram(values: Sequence[float], label: str) -> str:
    """Return how many queries have which value; whole numbers that are few have a bar each."""
    few = len(set(values)) <= 25 and all(value == int(value) for value in values)

    def draw(axes: Any) -> None:
        if few:
            distinct = sorted(set(values))
            axes.bar(distinct, [list(values).count(value) for value in distinct], width=0.7, color=_SERIES[0])
            axes.xaxis.get_major_locator().set_params(integer=True)
        else:
            axes.hist(values, bins=30, color=_SERIES[0])
        axes.set(xlabel=label, ylabel="queries")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.grid(visible=False, axis="x")

    return _drawn(draw, 4, width=_WIDTH / 2)


def plot_differences(comparison: Comparison) -> str:
    """Return how far `b` is ahead of `a` by each measure of each stage, with the 95% intervals."""
    entries = {
        f"{stage} {name}": entry
        for stage, by_measure in comparison.by_stage.items()
        for name, entry in by_measure.items()
    }

    def draw(axes: Any) -> None:
        for row, entry in enumerate(entries.values()):
            colour = _SERIES[0] if entry.p_holm < 0.05 else _MUTED
            axes.hlines(row, *entry.interval, color=colour, linewidth=2)
            axes.scatter(entry.difference, row, s=40, color=colour, linewidths=0)
        axes.axvline(0, color=_MUTED, linewidth=1)
        _rows(axes, list(entries), "b - a")

    return _drawn(draw, len(entries))


def _rows(axes: Any, labels: Sequence[str], label: str) -> None:
    """Name the rows, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel(label)


def _drawn(draw: Any, rows: int, *, width: float = _WIDTH) -> str:
    """Return what is drawn as the text of an element of HTML."""
    figure_class = library("matplotlib.figure").Figure
    with library("matplotlib").rc_context(_STYLE):
        figure = figure_class(figsize=(width, 1.1 + _ROW * rows), layout="constrained")
        draw(figure.add_subplot())
        written = io.StringIO()
        nobody = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=nobody)
    svg = written.getvalue()
    svg = re.sub(r' xmlns(?::\w+)?="[^"]*"', "", svg[svg.index("<svg") :])  # which HTML does without
    return re.sub("|".join(_VARIABLES), lambda found: f"var({_VARIABLES[found[0]]})", svg)
