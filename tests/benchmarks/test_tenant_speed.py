"""The benchmarks by the size of a tenant run, and measure what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.conftest import Load

FOLDERS = ("tenants",)


@pytest.mark.filterwarnings("ignore")  # of the stock pipeline
def test_speed_is_compared_with_stock_and_drawn(script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, picture = tmp_path / "speed.json", tmp_path / "speed.png"
    monkeypatch.setattr(script("speed"), "QUESTIONS", 20)
    script("speed").main(None, (30, 60), 2, out, picture)
    rows = json.loads(out.read_text("utf-8"))
    assert [row["chunks"] for row in rows] == [30, 60]
    for row in rows:
        for side in ("ours", "stock"):
            assert 0 < row[f"{side}_p50_ms"] <= row[f"{side}_p95_ms"]
            assert 0 < row[f"{side}_stored_s"] <= row[f"{side}_searchable_s"]
        assert row["p95_ratio"] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_recall_is_that_of_the_dense_leg(
    script: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "recall.json"
    monkeypatch.setattr(script("recall"), "QUESTIONS", 20)
    script("recall").main(None, "hashing", 400, (10, 300), out)
    rows = json.loads(out.read_text("utf-8"))
    assert [(row["chunks"], row["recall"], row["recall_with_source"], row["kind"]) for row in rows] == [
        (10, 1.0, 1.0, "exact"),
        (300, 1.0, 1.0, "exact"),
    ]
    assert "400 rows" in capsys.readouterr().out


def test_hits_that_are_missing_or_foreign_lower_recall(script: Load) -> None:
    recall = script("recall").recall
    vectors = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    question = vectors[3]
    cosines = vectors @ question / np.linalg.norm(vectors, axis=1)
    best = np.argsort(-cosines)[:20].tolist()
    assert recall(best, vectors, question, None) == 1.0
    assert recall(best[:10], vectors, question, None) == 0.5
    assert recall([*best[:19], int(np.argmin(cosines))], vectors, question, None) == 0.95
    of_faq = [number for number in np.argsort(-cosines).tolist() if number % 10 == 0]
    assert recall(of_faq, vectors, question, "faq") == 1.0
    assert recall(best, vectors, question, "faq") < 1.0
