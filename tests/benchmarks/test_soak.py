"""The soak in small: the product as real processes, of which the database, Redis and a web process are killed."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from rag_app import RagApp
from tests.servers import needed

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
KILLED = ("PostgreSQL killed", "Redis killed", "a web process killed")

Load = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import a script by name; all are forgotten in the end, as their names may be other modules' too."""
    for folder in ("tenants", "soak"):
        monkeypatch.syspath_prepend(BENCHMARKS / folder)
    yield importlib.import_module
    for file in (*BENCHMARKS.glob("soak/*.py"), *BENCHMARKS.glob("tenants/*.py")):
        sys.modules.pop(file.stem, None)


def test_questions_are_answered_and_nothing_is_lost_while_parts_are_killed(tmp_path: Path) -> None:
    needed("redis-server")
    size = ["--minutes", "0.45", "--tenants", "12", "--institute", "1", "--clients", "4", "--pause", "0.6"]
    command = [sys.executable, BENCHMARKS / "soak" / "soak.py", *size, "--json", tmp_path / "report", "--only", *KILLED]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (tmp_path / "report").exists(), done.stderr
    report = json.loads((tmp_path / "report").read_text("utf-8"))
    assert report["wrong"] == []
    assert report["ended"] == []
    assert report["acknowledged"]["store"] > 0
    assert report["acknowledged"]["queue"] > 0
    assert {*KILLED, "calm"} <= set(report["by_disturbance"])
    assert report["questions"] > 30
    assert [error for error in report["errors"] if not error.startswith("late")] == []
    assert report["availability"] > 0.95  # a busy machine makes some late
    assert {each["name"] for each in report["disturbed"]} == set(KILLED)
    assert all(len(sample) == 4 for samples in report["samples"].values() for sample in samples)
    assert any(sample[3] > 0 for name, samples in report["samples"].items() if "web" in name for sample in samples)
    assert (done.returncode != 0) == bool(report["missed"])
    assert "lost or torn: 0" in done.stdout


def test_what_is_lost_torn_or_come_back_is_noticed(script: Load, app: RagApp, tenant: str) -> None:
    ledger, ingesting = script("ledger").Ledger(), script("ingesting")
    app.ingest([ingesting.record(number, 0) for number in (1, 2, 3)], tenant=tenant)
    for number in (1, 2, 3):
        ledger.written(tenant, f"d{number}", 0, acknowledged=True, kind="store")
    ledger.written(tenant, "d4", 0, acknowledged=False, kind="store")
    assert ledger.own_documents(tenant) == ["d1", "d2", "d3"]
    assert ledger.wrong(app) == []
    ledger.written(tenant, "d3", None, acknowledged=True, kind="delete")
    with app.database.transaction(tenant) as connection:
        connection.execute(text("DELETE FROM rag_app.documents WHERE doc_id = 'd1'"))
        connection.execute(text("DELETE FROM rag_app.data_chunks WHERE doc_id = 'd2'"))
    wrong = ledger.wrong(app)
    for doc_id in ("d1: version None, not 0", "d2: ", "d3: version 0, not None"):
        assert any(doc_id in line for line in wrong), doc_id


def test_refusals_and_what_is_cut_with_its_process_are_counted_apart(script: Load) -> None:
    asked = script("traffic").Asked
    figures = script("figures").figures_of(
        [
            asked(0, "retrieve", "answered", 10, "calm", chunks=5),
            asked(1, "chat", "answered", 20, "Redis killed", degraded=("flags: store: x",), chunks=0),
            asked(2, "chat", "late", 3000, "calm", what="after the deadline"),
            asked(3, "retrieve", "refused", 1, "calm", what="429 overloaded"),
            asked(4, "retrieve", "cut", 1, "a web process killed", what="ReadError"),
            asked(5, "retrieve", "cut", 1, "calm", what="ReadError"),
            asked(6, "store", "unavailable", 1, "calm", what="503 unavailable"),
        ]
    )
    assert (figures["availability"], figures["refused"], figures["cut_with_their_process"]) == (2 / 4, 1, 1)
    assert (figures["degraded"], figures["without_chunks"]) == (1, 1)
    assert figures["errors"] == {"late: after the deadline": 1, "cut: ReadError": 1}
    assert figures["document_errors"] == {"unavailable: 503 unavailable": 1}
    assert figures["degradations"] == {"flags: store: x": 1}


def nothing(_: float) -> float:
    return 0.0


def watched(
    script: Load, minutes: float, megabytes: Callable[[float], float], cached: Callable[[float], float] = nothing
) -> Any:
    """What was seen of a process in so many minutes."""
    watching = script("watching")
    watch = watching.Watch({"web": list, "worker": list}, dict)
    times = [second for second in range(0, int(minutes * 60) + 1, 2)]
    watch.samples["web 7"] = [watching.Sample(at, megabytes(at), 30, cached(at)) for at in times]
    return watch


def test_memory_that_goes_on_growing_is_missed_and_what_only_warms_up_is_not(script: Load) -> None:
    report = script("figures").figures_of([])
    passed = {**report, "availability": 1.0, "wrong": [], "ended": []}
    for grown, megabytes, cached in (
        ([], lambda at: 500 + min(at, 200), nothing),
        ([], lambda at: 500 + at, lambda at: at - 50),
        (["web 7 grew from 784 to 1086 MB beside its caches"], lambda at: 500 + at, nothing),
    ):
        growth = watched(script, 11, megabytes, cached).growth()
        assert script("figures").missed({**passed, "growth": growth}) == grown
    growth["web 7"] |= {"mb_last": growth["web 7"]["mb_middle"], "fds_last": 60}
    assert script("figures").missed({**passed, "growth": growth}) == ["web 7 came from 30 to 60 descriptors"]


def test_memory_is_not_judged_of_what_did_not_live_for_long(script: Load) -> None:
    short = watched(script, 9, lambda at: 500 + at)
    assert script("figures").missed(
        {"availability": 0.9985, "wrong": ["a"], "ended": ["Redis"], "growth": short.growth()}
    ) == [
        "99.850% of the questions were answered in time, not 99.9%",
        "1 documents or tasks are lost or torn",
        "ended: Redis",
    ]
    assert [line.partition(" was")[0] for line in short.not_judged()] == ["memory of web", "memory of worker"]
    assert len(watched(script, 11, lambda _: 500).not_judged()) == 1


def test_the_picture_shows_each_disturbance_and_process(script: Load, tmp_path: Path) -> None:
    traffic = script("traffic")
    scene = traffic.Scene("", {}, [], [], [], script("ledger").Ledger(), 1.0)
    scene.asked += [
        traffic.Asked(1, "retrieve", "answered", 10, "calm", chunks=5),
        traffic.Asked(2, "chat", "answered", 20, "Redis killed", degraded=("x",), chunks=0),
        traffic.Asked(3, "chat", "late", 3000, "calm"),
    ]
    scene.disturbed.append(traffic.Disturbed("Redis killed", 1, 3))
    script("picture").plot(scene, watched(script, 1, lambda _: 500), tmp_path / "picture.svg")
    drawn = (tmp_path / "picture.svg").read_text("utf-8")
    for told in ("Redis killed", "not answered", "descriptors"):
        assert f"<!-- {told}" in drawn
