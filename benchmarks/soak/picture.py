"""The picture of a run: the times of questions, and what each process held, with the disturbances behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traffic import DEADLINE_S, GRACE_S, QUESTIONS, Scene
from watching import Watch

_COLORS = {"web": "tab:blue", "worker": "tab:green"}


def plot(scene: Scene, watch: Watch, file: Path) -> None:
    """Draw it into a file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, sharex=True, figsize=(13, 9), height_ratios=(3, 2, 1))
    times, memory, descriptors = axes
    for disturbed in scene.disturbed:
        for each in axes:
            each.axvspan(disturbed.began / 60, disturbed.ended / 60, color="0.92", linewidth=0)
        place = (disturbed.began + disturbed.ended) / 120
        times.text(place, 1.02, disturbed.name, rotation=45, fontsize=8, transform=times.get_xaxis_transform())
    _draw_times(times, scene)
    for name, samples in watch.samples.items():
        kind, _, number = name.rpartition(" ")
        minutes = [sample.at / 60 for sample in samples]
        megabytes = [sample.megabytes for sample in samples]
        memory.plot(minutes, megabytes, color=_COLORS[kind], linewidth=1)
        memory.annotate(
            number, (minutes[-1], megabytes[-1]), (3, 0), textcoords="offset points", fontsize=7, va="center"
        )
        descriptors.plot(minutes, [sample.descriptors for sample in samples], color=_COLORS[kind], linewidth=1)
    for kind, color in _COLORS.items():
        memory.plot([], [], color=color, label=f"{kind}, by number of the process")
    _legend_below(memory, 2)
    for each, label in ((memory, "memory, MB"), (descriptors, "descriptors")):
        each.set_ylabel(label)
        each.set_ylim(bottom=0)
    descriptors.set_xlabel("minutes")
    figure.savefig(file, dpi=110, bbox_inches="tight")


def _draw_times(axes: Any, scene: Scene) -> None:
    questions = [each for each in scene.asked if each.kind in QUESTIONS]
    answered = [each for each in questions if each.how == "answered"]
    for label, style, chosen in (
        ("answered", {"color": "tab:blue", "marker": ".", "markersize": 3}, [e for e in answered if not e.degraded]),
        ("degraded", {"color": "tab:orange", "marker": ".", "markersize": 4}, [e for e in answered if e.degraded]),
        ("not answered", {"color": "tab:red", "marker": "x"}, [e for e in questions if e.how != "answered"]),
    ):
        axes.plot([e.at / 60 for e in chosen], [e.ms for e in chosen], linestyle="", label=label, **style)
    late_ms = 1000 * (DEADLINE_S + GRACE_S)
    axes.axhline(late_ms, color="tab:red", linewidth=0.8, linestyle="--", label=f"late, above {late_ms:,.0f} ms")
    axes.set_yscale("log")
    axes.set_ylabel("questions, ms")
    _legend_below(axes, 4)


def _legend_below(axes: Any, columns: int) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=columns, fontsize=8, frameon=False)
