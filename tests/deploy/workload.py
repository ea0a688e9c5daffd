"""Serves metrics and records known figures: `begin` and `step` on standard input, each answered by `done`.

A step is four runs of production_rag, of which one fails over to context_retriever:

    production_rag     0.1 s, 0.1 s, 0.3 s, 0.3 s    6, 6, 8 and 0 chunks    one TimeoutError
    context_retriever  0.2 s                         2 chunks
"""

from __future__ import annotations

import sys

from rag_app import metrics
from rag_app.trace import Degradation


def run(method: str, seconds: float, chunks: int, error_type: str | None = None) -> None:
    metrics.retrieved(
        method=method,
        primary_source="manual",
        seconds=seconds,
        deadline_s=2.0,
        scores=[("manual", 0.9)] * (chunks - chunks // 3) + [("faq", 0.4)] * (chunks // 3),
        tokens=100 * chunks,
        stages={"query_analysis": 0.001, "retrieval": seconds / 2, "rerank": seconds / 4, "context": 0.002},
        complexity="moderate",
        error_type=error_type,
        empty_reason="failed" if error_type else None,
    )


def begin() -> None:
    """Have every series begin, with runs that change neither the mean times nor the number of errors."""
    run("production_rag", 0.2, 5)
    run("context_retriever", 0.2, 2)
    around()


def step() -> None:
    for seconds, chunks in ((0.1, 6), (0.1, 6), (0.3, 8)):
        run("production_rag", seconds, chunks)
    run("production_rag", 0.3, 0, "TimeoutError")
    run("context_retriever", 0.2, 2)
    around()


def around() -> None:
    metrics.degraded([Degradation("rerank", "cross_encoder", "loading", "lexical")])
    metrics.reranked("BAAI/bge-reranker-base", 0.05)
    for variant, reason in (("on", "SPLIT"), ("off", "SPLIT"), ("off", "SPLIT"), ("off", "SPLIT")):
        metrics.flag_evaluated("production_rag", variant, reason)
    metrics.cache_used("bm25", hits=3)
    metrics.cache_used("bm25", misses=1)
    metrics.cache_holds("bm25", 20_000_000)
    for outcome in ("skipped", "failed"):
        metrics.shadowed(outcome)
    for differs in (True, False):
        times = {"production_rag": 0.1, "context_retriever": 0.3}
        metrics.shadowed("compared", overlap=0.75, seconds=times, first_differs=differs)
    for outcome in ("answered", "answered", "answered", "time-out"):
        metrics.answered(llm="google_genai", outcome=outcome, seconds=2.0, first_token_s=0.5)


def say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    say(metrics.start_http_server(0))
    for command in sys.stdin:
        {"begin": begin, "step": step}[command.strip()]()
        say("done")
