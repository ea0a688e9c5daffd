"""The measurements of faults and of what serving adds run, and the bars hold where a few requests can show it."""

from __future__ import annotations

import pytest

from rag_app import RagApp
from rag_app.trace import Degradation
from tests.benchmarks.conftest import Load
from tests.conftest import SAMPLE_TENANT

FOLDERS = ("", "faults")


def test_with_every_component_failing_now_and_then_no_request_fails(
    app: RagApp, script: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = script("run")
    monkeypatch.setattr(run, "TENANT", SAMPLE_TENANT)
    report = run.measure(app, run.questions_of_the_sample(), requests=150, rate=0.15, deadline_s=2.0)
    assert report.faults > 100
    assert (report.escaped, report.miscounted) == (0, 0)
    assert report.noted == report.counted > 100
    assert report.empty <= 3  # at three times the rate of the bar
    assert report.max_ms < 5000  # what hangs does so for six seconds
    assert len(report.by_fault) > 15
    assert report.rerankers.keys() >= {"cross_encoder", "lexical"}


def test_the_judge_of_faults_sees_what_is_missing_and_what_is_too_much(script: Load) -> None:
    run = script("run")
    fault = script("injection").Fault

    def noted(*components: str, reason: str = "RuntimeError") -> list[Degradation]:
        return [Degradation("retrieval", component, reason, "x") for component in components]

    assert run.judge([], []) == (True, 0)
    assert run.judge([fault("dense", "raises")], noted("dense")) == (True, 0)
    assert run.judge([fault("dense", "raises")], []) == (False, 0)
    assert run.judge([fault("dense", "raises")], noted("dense", "dense")) == (False, 0)
    assert run.judge([], noted("dense")) == (False, 0)
    assert run.judge([], noted("dense", reason="not tried")) == (True, 0)
    assert run.judge([], noted("dense", reason="TimeoutError")) == (True, 1)
    strangers = [fault("dense", "foreign chunks"), fault("bm25", "foreign chunks")]
    assert run.judge(strangers, noted("tenant check")) == (True, 0)


def test_what_serving_adds_is_measured(app: RagApp, script: Load, questions: list[dict[str, object]]) -> None:
    overhead = script("overhead")
    overhead.TENANT = SAMPLE_TENANT
    try:
        found = overhead.measure(app, [question["text"] for question in questions], calls=100, whole_calls=3)
    finally:
        app.flags.unset("production_rag")
    assert 0 < found["around a stand-in"]["p50"] < found["whole requests"]["p50"]
