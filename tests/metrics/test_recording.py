"""What each recording adds, computed by hand."""

import re
from collections.abc import Callable

import pytest

from rag_app import RagApp, metrics
from rag_app.trace import Degradation

Gained = Callable[[], dict[str, float]]


def without_buckets(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if "_bucket{" not in name}


def buckets(figures: dict[str, float], name: str) -> dict[str, float]:
    """The cumulative counts that changed, by upper bound."""
    return {
        series.split('le="')[1].split('"')[0]: value
        for series, value in figures.items()
        if series.startswith(f"{name}_bucket{{")
    }


def test_a_run(gained: Gained) -> None:
    metrics.retrieved(
        method="production_rag",
        primary_source="a run",
        seconds=0.25,
        deadline_s=2.0,
        scores=[("a run", 0.75), ("a run", 0.25), ("a faq", 0.5)],
        tokens=700,
        stages={"retrieval": 0.125, "rerank": 0.0625},
        complexity="moderate",
        error_type=None,
        empty_reason=None,
    )
    told = gained()
    assert without_buckets(told) == pytest.approx({
        'rag_retrieval_total{method="production_rag",primary_source="a run"}': 1,
        'rag_retrieval_latency_seconds_count{method="production_rag"}': 1,
        'rag_retrieval_latency_seconds_sum{method="production_rag"}': 0.25,
        'rag_deadline_use_ratio_count{method="production_rag"}': 1,
        'rag_deadline_use_ratio_sum{method="production_rag"}': 0.125,
        'rag_context_tokens_count{method="production_rag"}': 1,
        'rag_context_tokens_sum{method="production_rag"}': 700,
        "rag_query_complexity_count{}": 1,
        "rag_query_complexity_sum{}": 2,
        'rag_stage_duration_seconds_count{method="production_rag",stage="retrieval"}': 1,
        'rag_stage_duration_seconds_sum{method="production_rag",stage="retrieval"}': 0.125,
        'rag_stage_duration_seconds_count{method="production_rag",stage="rerank"}': 1,
        'rag_stage_duration_seconds_sum{method="production_rag",stage="rerank"}': 0.0625,
        'rag_chunk_scores_count{source="a run"}': 2,
        'rag_chunk_scores_sum{source="a run"}': 1.0,
        'rag_chunk_scores_count{source="a faq"}': 1,
        'rag_chunk_scores_sum{source="a faq"}': 0.5,
        'rag_chunks_retrieved{method="production_rag",source="a run"}': 3,
    })  # fmt: skip
    assert buckets(told, "rag_query_complexity") == {"2.0": 1, "3.0": 1, "+Inf": 1}
    assert set(buckets(told, "rag_retrieval_latency_seconds")) == {
        "0.25", "0.5", "0.75", "1.0", "1.5", "2.0", "2.5", "3.0", "5.0", "10.0", "+Inf",
    }  # fmt: skip


def test_a_request_that_fell_over_counts_under_both(gained: Gained) -> None:
    for method, error_type, reason in [
        ("production_rag", "TimeoutError", "failed"),
        ("context_retriever", None, "no match"),
    ]:
        metrics.retrieved(
            method=method,
            primary_source=None,
            seconds=1.5,
            deadline_s=None,
            scores=[],
            tokens=0,
            stages={},
            complexity=None,
            error_type=error_type,
            empty_reason=reason,
        )
    counted = {name: value for name, value in gained().items() if "_total" in name}
    assert counted == {
        'rag_retrieval_total{method="production_rag",primary_source="all"}': 1,
        'rag_retrieval_total{method="context_retriever",primary_source="all"}': 1,
        'rag_errors_total{error_type="TimeoutError",method="production_rag"}': 1,
        'rag_empty_results_total{method="production_rag",reason="failed"}': 1,
        'rag_empty_results_total{method="context_retriever",reason="no match"}': 1,
    }


@pytest.mark.parametrize("deadline_s", [None, float("inf"), 0.0])
def test_no_ratio_without_a_deadline(gained: Gained, deadline_s: float | None) -> None:
    run(deadline_s=deadline_s)
    assert not any(name.startswith("rag_deadline") for name in gained())


def test_the_gauge_is_the_mean_of_the_last_hundred(gained: Gained) -> None:
    gauge = 'rag_chunks_retrieved{method="context_retriever",source="hundred"}'
    for chunks in (2, 6):
        run(method="context_retriever", primary_source="hundred", scores=[("hundred", 0.5)] * chunks)
    assert gained()[gauge] == 4.0
    for _ in range(99):
        run(method="context_retriever", primary_source="hundred", scores=[("hundred", 0.5)] * 6)
    assert gained()[gauge] == 6.0  # the first, with 2, is out


def test_a_degradation(gained: Gained) -> None:
    entry = Degradation("rerank", "cross_encoder", "out of time: scored in part", "the order before")
    metrics.degraded([entry, entry, Degradation("retrieval", "dense", "TimeoutError", "bm25")])
    assert gained() == {
        'rag_degradations_total{component="cross_encoder",reason="out of time: scored in part",stage="rerank"}': 2,
        'rag_degradations_total{component="dense",reason="TimeoutError",stage="retrieval"}': 1,
    }


@pytest.mark.parametrize(
    ("model", "label"), [("BAAI/bge-reranker-base", "BAAI/bge-reranker-base"), ("/srv/customer/small", "small")]
)
def test_a_rerank(gained: Gained, model: str, label: str) -> None:
    metrics.reranked(model, 0.5)
    assert without_buckets(gained()) == {
        f'rag_reranking_total{{model="{label}"}}': 1,
        f'rag_reranking_latency_seconds_count{{model="{label}"}}': 1,
        f'rag_reranking_latency_seconds_sum{{model="{label}"}}': 0.5,
    }


def test_a_flag(gained: Gained) -> None:
    metrics.flag_evaluated("rerank_model", "BAAI/bge-reranker-base", "STATIC")
    assert gained() == {
        'rag_flag_evaluations_total{flag="rerank_model",reason="STATIC",variant="BAAI/bge-reranker-base"}': 1
    }


def test_what_a_process_caches_is_told_in_bytes(app: RagApp, tenant: str) -> None:
    def told(cache: str) -> float:
        return float(re.search(rf'rag_cache_bytes{{cache="{cache}"}} (\S+)', metrics.exposition().decode())[1])

    app.ingest([{"id": "m1", "text": "ارسال سفارش سه روز طول می‌کشد."}], tenant=tenant)
    assert app.retrieve("ارسال سفارش", tenant=tenant).nodes
    chunks, indexes, words = told("chunks"), told("bm25_index"), told("words")
    app.ingest([{"id": "m2", "text": "پرداخت سفارش در محل ممکن است."}], tenant=tenant)
    assert app.retrieve("پرداخت سفارش", tenant=tenant).nodes
    assert told("chunks") > chunks > 1000
    assert told("bm25_index") > indexes > 1000
    assert told("words") > words > 1000


def test_a_cache_has_both_outcomes_from_the_start(gained: Gained) -> None:
    metrics.cache_used("scores", hits=12)
    assert gained() == {'rag_cache_requests_total{cache="scores",outcome="hit"}': 12}
    assert b'rag_cache_requests_total{cache="scores",outcome="miss"} 0.0' in metrics.exposition()
    metrics.cache_used("scores", misses=1)
    metrics.cache_used("scores", misses=0)
    assert gained()['rag_cache_requests_total{cache="scores",outcome="miss"}'] == 1


def test_shadow(gained: Gained) -> None:
    metrics.shadowed(
        "compared", overlap=0.25, seconds={"context_retriever": 0.5, "production_rag": 0.125}, first_differs=True
    )
    metrics.shadowed("skipped")
    metrics.shadowed("failed")
    assert without_buckets(gained()) == {
        'rag_shadow_requests_total{outcome="compared"}': 1,
        'rag_shadow_requests_total{outcome="skipped"}': 1,
        'rag_shadow_requests_total{outcome="failed"}': 1,
        "rag_shadow_overlap_ratio_count{}": 1,
        "rag_shadow_overlap_ratio_sum{}": 0.25,
        'rag_shadow_latency_seconds_count{method="context_retriever"}': 1,
        'rag_shadow_latency_seconds_sum{method="context_retriever"}': 0.5,
        'rag_shadow_latency_seconds_count{method="production_rag"}': 1,
        'rag_shadow_latency_seconds_sum{method="production_rag"}': 0.125,
        "rag_shadow_first_differs_total{}": 1,
    }


def run(**values: object) -> None:
    given: dict[str, object] = {
        "method": "production_rag",
        "primary_source": "manual",
        "seconds": 0.1,
        "deadline_s": 2.0,
        "scores": [],
        "tokens": 0,
        "stages": {},
        "complexity": None,
        "error_type": None,
        "empty_reason": None,
    }
    metrics.retrieved(**{**given, **values})  # type: ignore[arg-type]
