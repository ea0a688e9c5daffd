"""`rag-app verify` for real, where everything works and where something does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag_app import RagApp
from rag_app.config import load_settings
from rag_app.storage import Database
from rag_app.verification import verify
from tests.cli.test_cli import run


@pytest.fixture(autouse=True)
def _settings(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "30")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__LEG_TIMEOUT_S", "20")


def tenants(url: str) -> list[str]:
    from sqlalchemy import text

    database = Database(url)
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE rag_app.documents NO FORCE ROW LEVEL SECURITY"))
        found = list(connection.scalars(text("SELECT DISTINCT tenant FROM rag_app.documents")))
        connection.execute(text("ALTER TABLE rag_app.documents FORCE ROW LEVEL SECURITY"))
    database.engine.dispose()
    return found


def test_everything_is_checked_and_the_retrievers_are_compared(
    url: str, cross_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_APP_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_APP_RERANK__MODEL", str(cross_encoder_folder))
    found = json.loads(run("verify", "--json"))
    checks = {check["name"]: check for check in found["checks"]}
    assert found["passed"], checks
    assert {
        "packages",
        "model",
        "database",
        "schema",
        "reranker",
        "context_retriever",
        "production_rag",
        "flags",
        "llm",
        "answer",
    } <= set(checks)
    assert checks["production_rag"]["finding"].startswith("3 of 3 questions have chunks")
    assert f"{cross_encoder_folder} is loaded; cross_encoder put " in checks["reranker"]["finding"]
    assert "production_rag_rollout_percentage 0" in checks["flags"]["finding"]
    assert checks["answer"]["finding"].startswith("extractive gave ")
    for pair in found["compared"]:
        assert (pair["old"]["method"], pair["new"]["method"]) == ("context_retriever", "production_rag")
        assert pair["old"]["chunks"]
        assert pair["new"]["trace"]["reranker"] == "cross_encoder"
    assert tenants(url) == []  # what was ingested for it is gone


def test_it_is_shown_side_by_side(url: str) -> None:
    with RagApp.from_config(database={"url": url}) as app:
        app.ingest([{"id": "m", "title": "بورسیه", "text": "ما بورسیه داریم"}], tenant="shop")
        printed = run("verify", "--tenant", "shop", "--question", "بورسيه دارين؟")
        app.delete("m", tenant="shop")
    assert printed.endswith("everything works\n")
    *_, old, new, _, _ = printed.splitlines()
    assert old.split()[:2] == ["context_retriever", "1"]
    assert new.split()[:2] == ["production_rag", "1"]
    assert "بورسیه" in new


def test_what_is_wrong_fails_it_with_an_answer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_APP_RERANK__MODEL", "/nowhere/model")
    found = json.loads(run("verify", "--tenant", "nobody", "--json", status=1))
    checks = {check["name"]: check for check in found["checks"]}
    assert not found["passed"]
    assert checks["reranker"]["state"] == "problem"
    assert "lexical put 'ما بورسیه داریم' first" in checks["reranker"]["finding"]
    assert checks["production_rag"]["state"] == "problem"
    assert "tenant 'nobody' has no documents" in checks["production_rag"]["finding"]
    assert "rag-app ingest" in checks["production_rag"]["answer"]


def test_a_database_that_is_not_there_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    printed = run("verify", status=1)
    assert "problem  application: " in printed
    assert printed.endswith("something is wrong: see the problems above\n")


def test_without_an_llm_what_only_retrieves_works(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    found = verify(
        load_settings(
            database={"url": url}, llm={"kind": "google_genai"}, deadline_s=30, retrieval={"leg_timeout_s": 20}
        )
    )
    states = {check.name: check.state for check in found.checks}
    assert found.passed
    assert states["llm"] == states["answer"] == "warning"
    assert all(pair.new.nodes for pair in found.compared)
