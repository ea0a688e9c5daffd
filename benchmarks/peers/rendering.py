"""The results of `against_peers.py` as Markdown, between the markers of a page.

Run as a script it writes the tables of `results.json` into `README.md` and `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGES = (HERE.parent / "README.md", HERE.parent.parent / "README.md")
BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
OURS, INT8 = "rag_app", "rag_app_int8"  # by its settings as they are, and with `rerank.precision: int8`
TITLES = {
    OURS: OURS,
    INT8: f"{OURS}, int8",
    "llamaindex": "LlamaIndex",
    "langchain": "LangChain",
    "haystack": "Haystack",
    "raglite": "RAGLite",
}
RETRIEVAL, ORDER = "retrieval", "order"  # stages: hybrid search, and what ours does after it without a model
FASTER = 3.0  # how many times as long a peer should take with the same cross-encoder

Results = Mapping[str, Any]


def rendered(results: Results) -> str:
    """Return the tables, and what they show where they fall short."""
    parts = [_success(results), _means(results), _speed(results)]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in verdicts(results))])


def verdicts(results: Results) -> Iterator[str]:
    """Yield for each bar whether it is held, and by whom it is not."""
    sides = results["sides"]
    peers = [name for name in sides if name not in (OURS, INT8)]
    if not peers:
        return
    better = [
        f"{TITLES[name]} ({way}, {measure}: {value:.3f} against {own:.3f})"
        for way, stages in sides[OURS]["quality"].items()
        for measure, own in stages[ORDER].items()
        for name in peers
        if (value := sides[name]["quality"][way][ORDER][measure]) > own
    ]
    yield _verdict("No peer ahead in any way of writing by any measure", better)
    for kind, what in (("retrieval_ms", "Retrieval"), ("ordered_ms", "Retrieval with the lexical reranker")):
        ms = sides[OURS][kind]["p50"]
        faster = [
            f"{TITLES[name]} ({sides[name][kind]['p50']:.1f} ms against {ms:.1f})"
            for name in peers
            if sides[name][kind]["p50"] < ms
        ]
        yield _verdict(f"{what} no slower than any peer", faster)
    if "reranked_ms" in sides[OURS]:
        yield _faster_verdict(sides, peers, OURS, "With the cross-encoder at least")
        if INT8 in sides:
            yield _faster_verdict(sides, peers, INT8, "With the cross-encoder in int8 at least")


def _faster_verdict(sides: Mapping[str, Any], peers: Sequence[str], own: str, bar: str) -> str:
    times = {name: sides[name]["reranked_ms"]["times_ours"] for name in (own, *peers)}
    slow = [
        f"{TITLES[name]} ({times[name] / times[own]:.1f} times ours)"
        for name in peers
        if times[name] / times[own] < FASTER
    ]
    return _verdict(f"{bar} {FASTER:g} times as fast as any peer", slow)


def _verdict(bar: str, exceptions: Sequence[str]) -> str:
    return f"{bar}: {'no: ' + '; '.join(exceptions) if exceptions else 'yes'}."


def _rows(results: Results) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield title, report and stage of each row: ours is shown as it is fused as well."""
    for name, report in results["sides"].items():
        if name == INT8:
            continue
        yield TITLES[name], report, ORDER
        if name == OURS:
            yield f"{OURS}, fused alone", report, RETRIEVAL


def _success(results: Results) -> str:
    ways = list(results["sides"][OURS]["quality"])
    rows = [
        [title, *(f"{report['quality'][way][stage]['Success@1']:.3f}" for way in ways)]
        for title, report, stage in _rows(results)
    ]
    return _table(["Success@1", *ways], rows)


def _means(results: Results) -> str:
    """Return the other measures: the mean of the ways of writing, and the worst of them."""
    measures = [name for name in next(iter(results["sides"][OURS]["quality"].values()))[ORDER] if name != "Success@1"]
    rows = []
    for title, report, stage in _rows(results):
        values = {name: [stages[stage][name] for stages in report["quality"].values()] for name in measures}
        rows.append([title, *(f"{fmean(of):.3f} ({min(of):.3f})" for of in values.values())])
    return _table(["mean of the ways (worst)", *measures], rows)


def _speed(results: Results) -> str:
    heads = ["ms, p50 / p95", "retrieval", "and lexical reranker", "cross-encoder", "retrieval and cross-encoder"]
    heads += ["times ours", "ingestion, s", "MB", "MB with the model"]
    rows = []
    for name, report in results["sides"].items():
        reranked = report.get("reranked_ms")
        ratio = f"{reranked['times_ours']:.1f} ({reranked['least']:.1f} - {reranked['most']:.1f})" if reranked else ""
        rows.append(
            [
                TITLES[name],
                _ms(report["retrieval_ms"]),
                _ms(report["ordered_ms"]) if name in (OURS, INT8) else "",
                _ms(report.get("rerank_ms")),
                _ms(reranked),
                "" if name == OURS else ratio,
                f"{report['ingestion_s']:.1f}",
                _mb(report["memory_mb"]),
                _mb(report.get("memory_with_model_mb")),
            ]
        )
    return _table(heads, rows)


def _ms(figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return ""
    digits = 1 if figures["p50"] < 100 else 0
    return f"{figures['p50']:,.{digits}f} / {figures['p95']:,.{digits}f}"


def _mb(memory: Mapping[str, float] | None) -> str:
    """Return what the process took at most, and what its PostgreSQL took beside it."""
    if memory is None:
        return ""
    return f"{memory['peak']:,.0f}" + (f" + {memory['database']:.0f}" if memory["database"] else "")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def between_markers(page: str, tables: str) -> str:
    """Return the page with the tables between its markers.

    Raises:
        ValueError: the page has no markers.
    """
    pattern = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no {BEGIN} before a {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n{tables}\n{END}", page)


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    tables = rendered(json.loads(given.results.read_text("utf-8")))
    for page in PAGES:
        page.write_text(between_markers(page.read_text("utf-8"), tables), "utf-8")


if __name__ == "__main__":
    main()
