"""The comparison with peers runs with ours alone, its page shows what was measured, and says where a peer wins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rag_app.evaluation import BeirDataset
from tests.benchmarks.conftest import Load

FOLDERS = ("peers",)

CORPUS = {
    "d1": {"text": "سفارش‌ها ظرف سه روز کاری به دستتان می‌رسد."},
    "d2": {"text": "شهریهٔ کلاس را می‌توانید در سه قسط بپردازید."},
    "d3": {"text": "کلاس‌های حضوری در شعبهٔ تهران برگزار می‌شود."},
}
QRELS = {"q1": {"d2": 1}, "q2": {"d3": 1}}
WAYS = {
    "clean": {"q1": "شهریه را قسطی می‌شود داد؟", "q2": "کلاس‌ها در تهران است؟"},
    "finglish": {"q1": "shahrieh ghesti", "q2": "kelas tehran"},
}


def test_a_side_is_measured_in_a_process_of_its_own(script: Load, cross_encoder_folder: Path, tmp_path: Path) -> None:
    peers = script("against_peers")
    ways = {way: BeirDataset(CORPUS, questions, QRELS) for way, questions in WAYS.items()}
    texts = [record["text"] for record in CORPUS.values()] + [text for way in WAYS.values() for text in way.values()]
    with peers.opened([peers.OURS], texts, tmp_path) as sides:
        reports = peers.measure(sides, ways, rounds=2, questions=1, model=cross_encoder_folder, reranked=2)
    found = reports[peers.OURS]
    assert found["versions"]["rag-app"]
    assert found["quality"]["clean"]["order"]["Success@1"] == 1.0
    assert found["quality"]["finglish"]["order"]["R@20"] == 1.0
    assert 0 < found["retrieval_ms"]["p50"] <= found["ordered_ms"]["p50"] <= found["ordered_ms"]["p95"]
    assert found["rerank_ms"]["p50"] < found["reranked_ms"]["p50"]
    assert found["reranked_ms"]["times_ours"] == 1.0
    assert found["memory_mb"]["peak"] > 50
    assert found["memory_mb"]["database"] > 5
    assert "| rag_app |" in peers.rendered({"sides": reports})


def test_int8_is_measured_beside_the_precision_of_its_own_choice(script: Load, tmp_path: Path) -> None:
    peers = script("against_peers")
    ways = {"clean": BeirDataset(CORPUS, WAYS["clean"], QRELS)}
    texts = [*(record["text"] for record in CORPUS.values()), *WAYS["clean"].values()]
    with peers.opened([peers.OURS, peers.INT8], texts, tmp_path) as (usual, int8):
        reports = peers.measure([usual, int8], ways, rounds=1, questions=1, model=None, reranked=0)
        (one,), (other,) = (side.ask([WAYS["clean"]["q1"]]) for side in (usual, int8))
    assert one.rankings == other.rankings
    assert reports[peers.INT8]["retrieval_ms"]["p50"] > 0
    assert "quality" not in reports[peers.INT8]
    assert "| rag_app, int8 |" in peers.rendered({"sides": reports})


def test_the_environment_of_a_peer_that_is_none_is_refused_and_not_begun(script: Load) -> None:
    environments = script("environments")
    command = [sys.executable, environments.__file__, "llamaindex", "langchian"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no peer is named langchian: choose of llamaindex, langchain, haystack, raglite" in done.stderr
    assert "installing" not in done.stdout


def test_a_side_that_ends_says_why(script: Load, tmp_path: Path) -> None:
    side = script("side")
    command = [sys.executable, "-c", "raise SystemExit('no such package')"]
    with pytest.raises(side.SideError, match="broken ended: no such package"):  # noqa: SIM117
        with side.Side("broken", command, tmp_path, tmp_path, tmp_path / "log") as broken:
            broken.ask(["?"])


def test_the_pages_show_the_results(script: Load) -> None:
    rendering = script("rendering")
    tables = rendering.rendered(json.loads(rendering.RESULTS.read_text("utf-8")))
    for file in rendering.PAGES:
        page = file.read_text("utf-8")
        assert page == rendering.between_markers(page, tables)


def test_where_a_peer_wins_it_is_said(script: Load) -> None:
    rendering = script("rendering")

    def side(success: float, retrieval: float, reranked: float) -> dict[str, Any]:
        times = {"p50": retrieval, "p95": retrieval}
        return {
            "quality": {"clean": {"order": {"Success@1": success, "R@20": 1.0}}},
            "retrieval_ms": times,
            "ordered_ms": times,
            "reranked_ms": {"times_ours": reranked},
        }

    ahead = {"rag_app": side(0.9, 5.0, 1.0), "langchain": side(0.8, 6.0, 3.5)}
    assert all(line.endswith(": yes.") for line in rendering.verdicts({"sides": ahead}))
    behind = {"rag_app": side(0.9, 5.0, 1.0), "langchain": side(0.95, 2.0, 2.5)}
    behind["rag_app_int8"] = side(0.9, 1.9, 0.5)
    lines = list(rendering.verdicts({"sides": behind}))
    assert "LangChain (clean, Success@1: 0.950 against 0.900)" in lines[0]
    assert "LangChain (2.0 ms against 5.0)" in lines[1]
    assert "LangChain (2.5 times ours)" in lines[3]
    assert lines[4] == "With the cross-encoder in int8 at least 3 times as fast as any peer: yes."


def test_a_page_without_markers_is_refused(script: Load) -> None:
    with pytest.raises(ValueError, match="peers:begin"):
        script("rendering").between_markers("a page", "tables")
