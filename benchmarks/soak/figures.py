"""What came of it: figures of the requests by kind and by disturbance, as a dict and as a short text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from traffic import MIX, QUESTIONS, Asked
from watching import FLAT_MB, MORE_FDS

AVAILABILITY = 0.999
_KILLED = "a web process killed"


def figures_of(asked: Sequence[Asked]) -> dict[str, Any]:
    """Return the figures of the requests.

    Availability is of questions: the share that was answered well-formed and in time, degraded ones too. Refusals under
    overload (429) and what was cut with a web process that was killed are counted apart and are in neither part of it.
    """
    questions = [each for each in asked if each.kind in QUESTIONS]
    counted = [each for each in questions if not _apart(each)]
    answered = [each for each in counted if each.how == "answered"]
    writes = [each for each in asked if each.kind not in QUESTIONS]
    of_documents = [kind for kind in MIX if kind not in QUESTIONS]
    return {
        "requests": len(asked),
        "questions": len(questions),
        "availability": len(answered) / max(1, len(counted)),
        "degraded": sum(bool(each.degraded) for each in answered),
        "without_chunks": sum(each.chunks == 0 for each in answered),
        "errors": dict(Counter(f"{each.how}: {each.what}" for each in counted if each.how != "answered")),
        "refused": sum(each.how == "refused" for each in asked),
        "cut_with_their_process": sum(each.how == "cut" and each.during == _KILLED for each in asked),
        "degradations": dict(Counter(reason for each in answered for reason in each.degraded).most_common()),
        "ms": {kind: _times(each for each in asked if each.kind == kind) for kind in MIX},
        "ms_questions": _times(questions),
        "documents": {kind: dict(Counter(each.how for each in writes if each.kind == kind)) for kind in of_documents},
        "document_errors": dict(
            Counter(f"{each.how}: {each.what}" for each in writes if each.how not in ("answered", "refused"))
        ),
        "by_disturbance": {
            name: _during([each for each in questions if each.during == name])
            for name in dict.fromkeys(each.during for each in asked)
        },
    }


def missed(report: dict[str, Any]) -> list[str]:
    """Return the bars that a run missed, in words."""
    found = []
    if report["availability"] < AVAILABILITY:
        found.append(f"{report['availability']:.3%} of the questions were answered in time, not {AVAILABILITY:.1%}")
    if report["wrong"]:
        found.append(f"{len(report['wrong'])} documents or tasks are lost or torn")
    if report["ended"]:
        found.append(f"ended: {', '.join(report['ended'])}")
    for name, grown in report["growth"].items():
        middle, last = (grown[f"mb_{when}"] - grown[f"cached_{when}"] for when in ("middle", "last"))
        if grown["is_judged"] and last > (1 + FLAT_MB) * middle:
            found.append(f"{name} grew from {middle:.0f} to {last:.0f} MB beside its caches")
        if grown["is_judged"] and grown["fds_last"] > grown["fds_middle"] + MORE_FDS:
            found.append(f"{name} came from {grown['fds_middle']} to {grown['fds_last']} descriptors")
    return found


def _apart(asked: Asked) -> bool:
    return asked.how == "refused" or (asked.how == "cut" and asked.during == _KILLED)


def _during(questions: Sequence[Asked]) -> dict[str, Any]:
    hows: dict[str, Any] = dict(Counter(each.how for each in questions))
    answered = [each for each in questions if each.how == "answered"]
    return {
        **hows,
        "degraded": sum(bool(each.degraded) for each in answered),
        "without_chunks": sum(each.chunks == 0 for each in answered),
        "p95_ms": _times(questions).get("p95"),
    }


def _times(asked: Iterable[Asked]) -> dict[str, float]:
    times = sorted(each.ms for each in asked if each.how == "answered")
    if not times:
        return {}
    parts = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(times[min(len(times) - 1, int(len(times) * part))]) for name, part in parts.items()}


def shown(report: dict[str, Any]) -> str:
    """Return the report as text."""
    ms = report["ms_questions"]
    lines = [
        f"{report['requests']} requests in {report['minutes']:.1f} minutes, {report['questions']} of them questions: "
        f"{report['availability']:.3%} answered in time, {report['degraded']} of them degraded, "
        f"{report['without_chunks']} without a chunk",
        f"questions: p50 {ms.get('p50')}, p95 {ms.get('p95')}, p99 {ms.get('p99')}, at most {ms.get('max')} ms",
        f"errors of questions: {report['errors'] or 'none'}",
        f"told to come again (429): {report['refused']}; cut with a process that was killed: "
        f"{report['cut_with_their_process']}",
        f"documents: {report['documents']}; errors: {report['document_errors'] or 'none'}",
        f"writes acknowledged: {report['acknowledged']}, not queued: {report['queue_refused']}; "
        f"lost or torn: {len(report['wrong'])}",
        *(f"  {line}" for line in report["wrong"][:20]),
        "",
        f"{'':<26}{'answered':>9}{'degraded':>9}{'no chunk':>9}{'p95 ms':>8}  others",
    ]
    for name, of_name in report["by_disturbance"].items():
        others = {how: of_name[how] for how in ("late", "unavailable", "refused", "cut", "wrong") if of_name.get(how)}
        lines.append(
            f"{name:<26}{of_name.get('answered', 0):>9}{of_name['degraded']:>9}{of_name['without_chunks']:>9}"
            f"{of_name['p95_ms'] or 0:>8}  {others or ''}"
        )
    lines += ["", "degradations:", *(f"{count:>6}  {reason}" for reason, count in report["degradations"].items())]
    times = ("warm", "middle", "last", "most")
    heads = ("minutes", "MB warm", *times[1:], "cached", *times[1:3], "fds warm", *times[1:])
    if report["growth"]:
        lines += ["", f"{'':<18}" + "".join(f"{head:>9}" for head in heads)]
    for name, grown in report["growth"].items():
        columns = (("mb", times), ("cached", times[:3]), ("fds", times))
        figures = [grown[f"{what}_{when}"] for what, of_it in columns for when in of_it]
        lines.append(f"{name:<18}{grown['minutes']:>9}" + "".join(f"{figure:>9.0f}" for figure in figures))
    if report["not_done"]:
        lines += ["", f"not done: {'; '.join(report['not_done'])}"]
    return "\n".join(lines)
