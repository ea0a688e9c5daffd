"""The Python of the pages is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rag_app
from rag_app import RagApp
from tests.docs.pages import python


@pytest.fixture
def database(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of its own on the running server, where the embedded one would be."""
    monkeypatch.setenv("DATABASE_URL", new_database())
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "30")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__LEG_TIMEOUT_S", "20")


@pytest.mark.usefixtures("database")
def test_the_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(python("ten lines"), "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith('<chunk id="1" source="faq" title="هزینهٔ ارسال">\nارسال بالای ۵۰۰٬۰۰۰ تومان رایگان است.')
    assert '<chunk id="2" source="manual"' in printed


def test_the_chat(app: RagApp, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(python("chat"), "README.md", "exec"), {"app": app})
    answer, outcome, understood, streamed = capsys.readouterr().out.split("\n", 3)
    assert "[1]" in answer
    assert outcome == "answered (1,)"
    assert understood == "شهریه دوره آیلتس چقدره؟"
    assert "[1]" in streamed


def test_the_reranker(cross_encoder_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = python("reranker").replace('"base"', repr(str(cross_encoder_folder)))
    made: dict[str, Any] = {}
    exec(compile(code, "docs/cross-encoder.md", "exec"), made)
    assert capsys.readouterr().out.split()[-1] == "cross_encoder"
    made["reranker"].close()  # else the tests to come find its model loaded


@pytest.mark.usefixtures("database")
def test_the_old_calls(capsys: pytest.CaptureFixture[str]) -> None:
    rag_app.configure()
    try:
        rag_app.default_app().ingest([{"id": "1", "text": "ما بورسیه داریم", "source": "manual"}], tenant="42")
        exec(compile(python("old calls"), "README.md", "exec"), {"user": SimpleNamespace(pk=42)})
    finally:
        rag_app.configure()
    counts, contents, enabled, served, requests = capsys.readouterr().out.splitlines()
    assert counts.startswith("1 production_rag ")
    assert contents == "['ما بورسیه داریم']"
    assert served == f"{'production_rag' if enabled == 'True' else 'context_retriever'} SPLIT"
    assert int(requests) >= 1
