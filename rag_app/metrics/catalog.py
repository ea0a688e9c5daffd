"""Every metric: its name, its labels, its buckets."""

from __future__ import annotations

from itertools import product

from prometheus_client import Counter, Gauge, Histogram

from rag_app.metrics.instrument import Instrument

METHODS = ("production_rag", "context_retriever")
SHADOW_OUTCOMES = ("compared", "skipped", "failed")
USUAL_OUTCOMES = ("answered", "no context", "time-out", "quota", "unavailable", "cut off", "empty answer", "blocked")
COMPLEXITIES = {"simple": 1.0, "moderate": 2.0, "complex": 3.0}
ALL_SOURCES = "all"  # of a request that does not name one

_USUAL_ERRORS = ("TimeoutError", "ComponentError", "DatabaseUnavailableError")
_USUAL_REASONS = ("no match", "no documents", "unknown source", "failed")
_EACH_METHOD = [(method,) for method in METHODS]

# Most requests take 5 to 100 ms, and none should take more than the deadline of 2 s.
_SECONDS = (
    *(0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0),
)
_STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0)
_ANSWER_SECONDS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0)
_TENTHS = tuple(tenth / 10 for tenth in range(1, 11))

retrieval = Instrument(
    Counter,
    "rag_retrieval_total",
    "Runs of a pipeline; a request that fell over counts once under each of its two.",
    ["method", "primary_source"],
    zeros=product(METHODS, [ALL_SOURCES]),
)
retrieval_latency = Instrument(
    Histogram,
    "rag_retrieval_latency_seconds",
    "Time of a run; of one that fell over, with its fallback.",
    ["method"],
    zeros=_EACH_METHOD,
    buckets=_SECONDS,
)
stage_duration = Instrument(
    Histogram, "rag_stage_duration_seconds", "Time of a stage.", ["method", "stage"], buckets=_STAGE_SECONDS
)
deadline_use = Instrument(
    Histogram,
    "rag_deadline_use_ratio",
    "The part of its deadline that a run took.",
    ["method"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 0.9, 1.0, 1.1, 1.5),
)
errors = Instrument(
    Counter,
    "rag_errors_total",
    "Runs of a pipeline that failed.",
    ["method", "error_type"],
    zeros=product(METHODS, _USUAL_ERRORS),
)
empty_results = Instrument(
    Counter,
    "rag_empty_results_total",
    "Runs that gave no chunk, and why.",
    ["method", "reason"],
    zeros=product(METHODS, _USUAL_REASONS),
)
chunks_retrieved = Instrument(
    Gauge,
    "rag_chunks_retrieved",
    "Mean number of chunks in the context over the last 100 runs of this process.",
    ["method", "source"],
    multiprocess_mode="liveall",
)
chunk_scores = Instrument(
    Histogram, "rag_chunk_scores", "Score of a chunk in the context.", ["source"], buckets=_TENTHS
)
context_tokens = Instrument(
    Histogram,
    "rag_context_tokens",
    "Tokens of a context.",
    ["method"],
    buckets=(0, 50, 100, 200, 300, 400, 600, 800, 1000, 1200, 1400, 2000, 3000, 4000, 8000, 16000),
)
query_complexity = Instrument(
    Histogram, "rag_query_complexity", "Questions: 1 simple, 2 moderate, 3 complex.", buckets=(1, 2, 3)
)
reranking = Instrument(Counter, "rag_reranking_total", "Requests reranked by a cross-encoder.", ["model"])
reranking_latency = Instrument(
    Histogram, "rag_reranking_latency_seconds", "Time of reranking.", ["model"], buckets=_SECONDS
)
degradations = Instrument(
    Counter,
    "rag_degradations_total",
    "Parts that failed or ran out of time and were made up for.",
    ["stage", "component", "reason"],
)
flag_evaluations = Instrument(
    Counter, "rag_flag_evaluations_total", "Evaluations of a flag.", ["flag", "variant", "reason"]
)
cache_requests = Instrument(
    Counter, "rag_cache_requests_total", "What was looked up in a cache: hit or miss.", ["cache", "outcome"]
)
cache_bytes = Instrument(
    Gauge,
    "rag_cache_bytes",
    "Memory that a cache of this process holds, in bytes, about.",
    ["cache"],
    multiprocess_mode="liveall",
)
shadow_requests = Instrument(
    Counter,
    "rag_shadow_requests_total",
    "Requests offered to shadow mode.",
    ["outcome"],
    zeros=[(outcome,) for outcome in SHADOW_OUTCOMES],
)
shadow_overlap = Instrument(
    Histogram,
    "rag_shadow_overlap_ratio",
    "Documents that both pipelines found, of those that either found.",
    buckets=(0, *_TENTHS),
)
shadow_latency = Instrument(
    Histogram, "rag_shadow_latency_seconds", "Time of the two that are compared.", ["method"], buckets=_SECONDS
)
shadow_first_differs = Instrument(
    Counter, "rag_shadow_first_differs_total", "Comparisons whose best document differs.", zeros=[()]
)

answers = Instrument(Counter, "rag_answers_total", "Answers, by how they came out.", ["llm", "outcome"])
answer_latency = Instrument(
    Histogram,
    "rag_answer_latency_seconds",
    "Time of an answer, from its question to its last word.",
    ["llm"],
    buckets=_ANSWER_SECONDS,
)
answer_first_token = Instrument(
    Histogram,
    "rag_answer_first_token_seconds",
    "Time from a question to the first words of an LLM's answer.",
    ["llm"],
    buckets=_ANSWER_SECONDS,
)

INSTRUMENTS = [value for value in list(vars().values()) if isinstance(value, Instrument)]
