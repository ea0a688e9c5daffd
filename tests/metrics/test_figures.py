"""The figures as a dict, computed by hand."""

import pytest

from rag_app import metrics

EMPTY = {
    "requests": 0,
    "errors": 0,
    "success_rate": None,
    "average_latency_ms": None,
    "average_chunks": None,
    "empty": 0,
}


def test_before_anything_was_recorded(run_python) -> None:
    assert run_python("print(json.dumps(metrics.cached_metrics()))") == {
        "production_rag": EMPTY,
        "context_retriever": EMPTY,
        "reranking": {},
        "degradations": {},
        "flags": {},
        "shadow": {
            "compared": 0,
            "skipped": 0,
            "failed": 0,
            "first_differs": 0,
            "average_overlap": None,
            "average_latency_ms": {"production_rag": None, "context_retriever": None},
        },
    }


def test_after_a_few_requests(run_python) -> None:
    told = run_python("""
from rag_app.trace import Degradation
run(seconds=0.1, scores=[("manual", 0.5)] * 6)
run(seconds=0.2, scores=[("manual", 0.5)] * 8)
run(seconds=0.6, scores=[("faq", 0.5)] * 4, primary_source="faq")
run(seconds=0.3, scores=[], error_type="TimeoutError", empty_reason="failed", primary_source="faq")
run(seconds=0.3, scores=[("manual", 0.5)], method="context_retriever", primary_source=None)
metrics.degraded([Degradation("rerank", "cross_encoder", "loading", "lexical")] * 2)
metrics.reranked("base", 0.1)
metrics.reranked("base", 0.3)
metrics.flag_evaluated("production_rag", "on", "SPLIT")
metrics.shadowed("compared", overlap=0.5, seconds={"production_rag": 0.25}, first_differs=True)
metrics.shadowed("compared", overlap=1.0, seconds={"production_rag": 0.75})
print(json.dumps(metrics.cached_metrics()))
""")
    assert told["production_rag"] == {
        "requests": 4,
        "errors": 1,
        "success_rate": 0.75,
        "average_latency_ms": pytest.approx(300.0),
        "average_chunks": pytest.approx((6 + 8 + 4 + 0) / 4),
        "empty": 1,
    }
    assert told["context_retriever"] == {
        "requests": 1,
        "errors": 0,
        "success_rate": 1.0,
        "average_latency_ms": pytest.approx(300.0),
        "average_chunks": 1.0,
        "empty": 0,
    }
    assert told["reranking"] == {"base": {"requests": 2, "average_latency_ms": pytest.approx(200.0)}}
    assert told["degradations"] == {"rerank/cross_encoder/loading": 2}
    assert told["flags"] == {"production_rag/on/SPLIT": 1}
    assert told["shadow"] == {
        "compared": 2,
        "skipped": 0,
        "failed": 0,
        "first_differs": 1,
        "average_overlap": 0.75,
        "average_latency_ms": {"production_rag": 500.0, "context_retriever": None},
    }


def test_they_are_a_second_old_at_most(run_python) -> None:
    at_first, soon, later = run_python("""
counts = [metrics.cached_metrics()["production_rag"]["requests"]]
run()
counts.append(metrics.cached_metrics()["production_rag"]["requests"])
time.sleep(1.01)
counts.append(metrics.cached_metrics()["production_rag"]["requests"])
print(json.dumps(counts))
""")
    assert (at_first, soon, later) == (0, 0, 1)


def test_the_dict_is_the_callers_own() -> None:
    metrics.cached_metrics()["production_rag"]["requests"] = "mine"
    assert metrics.cached_metrics()["production_rag"]["requests"] != "mine"
