"""The soak in small: the product as real processes, of which the database, Redis and a web process are killed."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

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
    size = ["--minutes", "0.6", "--tenants", "12", "--institute", "1", "--clients", "4", "--pause", "0.3"]
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
