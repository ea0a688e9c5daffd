"""The names and labels that dashboards and the users' queries rely on."""

import pytest

from rag_app.metrics import catalog

BY_MISSION = {
    "rag_retrieval_total": ("counter", ("method", "primary_source")),
    "rag_retrieval_latency_seconds": ("histogram", ("method",)),
    "rag_chunks_retrieved": ("gauge", ("method", "source")),
    "rag_reranking_total": ("counter", ("model",)),
    "rag_reranking_latency_seconds": ("histogram", ("model",)),
    "rag_errors_total": ("counter", ("method", "error_type")),
    "rag_query_complexity": ("histogram", ()),
    "rag_chunk_scores": ("histogram", ("source",)),
}
OURS = {
    "rag_stage_duration_seconds": ("histogram", ("method", "stage")),
    "rag_degradations_total": ("counter", ("stage", "component", "reason")),
    "rag_flag_evaluations_total": ("counter", ("flag", "variant", "reason")),
    "rag_cache_bytes": ("gauge", ("cache",)),
    "rag_cache_requests_total": ("counter", ("cache", "outcome")),
    "rag_deadline_use_ratio": ("histogram", ("method",)),
    "rag_context_tokens": ("histogram", ("method",)),
    "rag_empty_results_total": ("counter", ("method", "reason")),
    "rag_shadow_requests_total": ("counter", ("outcome",)),
    "rag_shadow_overlap_ratio": ("histogram", ()),
    "rag_shadow_latency_seconds": ("histogram", ("method",)),
    "rag_shadow_first_differs_total": ("counter", ()),
    "rag_answers_total": ("counter", ("llm", "outcome")),
    "rag_answer_latency_seconds": ("histogram", ("llm",)),
    "rag_answer_first_token_seconds": ("histogram", ("llm",)),
}
NAMES = {**BY_MISSION, **OURS}


def test_names_and_labels() -> None:
    assert {instrument.name: instrument.label_names for instrument in catalog.INSTRUMENTS} == {
        name: labels for name, (_, labels) in NAMES.items()
    }


def test_the_exposition_has_them(run_python) -> None:
    told = run_python("""
run(error_type="TimeoutError", empty_reason="no match", stages={"rerank": 0.1})
from rag_app.trace import Degradation
metrics.degraded([Degradation("rerank", "cross_encoder", "loading", "lexical")])
metrics.reranked("BAAI/bge-reranker-base", 0.1)
metrics.flag_evaluated("production_rag", "on", "SPLIT")
metrics.cache_used("bm25", hits=1)
metrics.cache_holds("bm25", 1)
metrics.shadowed("compared", overlap=0.5, seconds={"production_rag": 0.1}, first_differs=True)
metrics.answered(llm="extractive", outcome="answered", seconds=0.1, first_token_s=0.05)
from prometheus_client.parser import text_string_to_metric_families as parse
families = parse(metrics.exposition().decode())
print(json.dumps([[family.name, family.type, sorted(family.samples[0].labels)] for family in families]))
""")
    found = {name if kind != "counter" else f"{name}_total": (kind, set(labels)) for name, kind, labels in told}
    for name, (kind, labels) in NAMES.items():
        assert found[name][0] == kind, name
        assert found[name][1] - {"le"} == set(labels), name


@pytest.mark.parametrize("method", ["production_rag", "context_retriever"])
@pytest.mark.parametrize("error_type", ["TimeoutError", "ComponentError", "DatabaseUnavailableError"])
def test_series_that_start_at_zero(run_python, method: str, error_type: str) -> None:
    text = run_python("print(json.dumps(metrics.exposition().decode()))")
    assert f'rag_errors_total{{error_type="{error_type}",method="{method}"}} 0.0\n' in text
    assert f'rag_retrieval_latency_seconds_count{{method="{method}"}} 0.0\n' in text
    assert f'rag_retrieval_total{{method="{method}",primary_source="all"}} 0.0\n' in text


def test_the_metrics_are_in_the_default_registry(run_python) -> None:
    assert run_python("""
from prometheus_client import REGISTRY
run()
print(REGISTRY.get_sample_value("rag_retrieval_total", {"method": "production_rag", "primary_source": "manual"}))
""")


def test_the_answers_of_an_llm_start_at_zero(run_python) -> None:
    text = run_python('metrics.answers_begin("gemini"); print(json.dumps(metrics.exposition().decode()))')
    for outcome in ("answered", "no context", "time-out", "quota", "unavailable"):
        assert f'rag_answers_total{{llm="gemini",outcome="{outcome}"}} 0.0\n' in text
