"""Requests of a process whose database does not answer when its application is to be opened."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest

import rag_app
import rag_app.app
from rag_app import ContextRetriever, FeatureFlags, ProductionRAG, RAGMetrics, process_app, retrieve_context
from rag_app.context_result import ContextResult, Performance
from rag_app.errors import DatabaseUnavailableError, InvalidInputError
from rag_app.process_app import close_default_app, default_app

SECRET = "s3cret-word"


@pytest.fixture(autouse=True)
def _unreachable() -> Iterator[None]:
    rag_app.configure(database={"url": f"postgresql://u:{SECRET}@127.0.0.1:1/x"})
    yield
    close_default_app()
    process_app._settings = process_app._failed = None


@pytest.mark.parametrize(
    ("retrieve", "variant", "reason"),
    [
        (ProductionRAG.retrieve_context, "production_rag", "CALLED"),
        (ContextRetriever.retrieve_context, "context_retriever", "CALLED"),
        (retrieve_context, "context_retriever", "ERROR"),
    ],
)
def test_the_answer_is_an_empty_result_that_says_why(
    retrieve: Callable[..., ContextResult], variant: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    labels = f'error_type="DatabaseUnavailableError",method="{variant}"'

    def errors() -> float:
        found = re.search(rf"rag_errors_total{{{labels}}} (\S+)", RAGMetrics.exposition().decode())
        return float(found[1]) if found else 0.0

    before = errors()
    with caplog.at_level(logging.WARNING):
        result = retrieve(query="هزینه ارسال", user="t1", primary_source="faq")
    assert result.keys() == get_type_hints(ContextResult).keys()
    assert result["performance"].keys() == get_type_hints(Performance).keys()
    assert (result["total_chunks"], result["context"], result["primary_context"]) == (0, "", [])
    assert result["reason"] == "retrieval failed: DatabaseUnavailableError"
    assert result["performance"]["variant"] == variant
    assert result["performance"]["variant_reason"] == reason
    assert result["performance"]["degraded"]
    assert errors() == before + 1
    opening, line = caplog.messages
    assert opening.startswith("the application of this process can not be opened: PostgreSQL at ")
    assert line.startswith("ProductionRAG " if variant == "production_rag" else "ContextRetriever ")
    assert "failure=DatabaseUnavailableError" in line
    assert SECRET not in caplog.text


async def test_the_async_call_answers_the_same() -> None:
    result = await ProductionRAG.aretrieve_context(query="هزینه ارسال", user="t1")
    assert result["reason"] == "retrieval failed: DatabaseUnavailableError"


@pytest.mark.parametrize("wrong", [{"user": None}, {"primary_budget": "800"}, {"query": 5}])
def test_what_can_not_be_used_is_still_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        ProductionRAG.retrieve_context(**{"query": "هزینه ارسال", "user": "t1", **wrong})


async def test_flags_are_read_as_configured_and_can_not_be_changed() -> None:
    rag_app.configure(database={"url": "postgresql://u@127.0.0.1:1/x"}, rerank={"top_k": 5})
    assert not FeatureFlags.is_enabled("production_rag", user="t1")
    assert await FeatureFlags.ais_enabled("cross_encoder_reranking")
    assert FeatureFlags.get_value("rerank_top_k") == await FeatureFlags.aget_value("rerank_top_k") == 5
    with pytest.raises(InvalidInputError, match="did you mean 'production_rag'"):
        FeatureFlags.is_enabled("production_rga")
    with pytest.raises(DatabaseUnavailableError):
        FeatureFlags.set_flag("production_rag", True)


def test_it_is_not_tried_again_at_once_but_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def opening(settings: object) -> None:
        tries.append(settings)
        raise DatabaseUnavailableError("it does not answer")

    monkeypatch.setattr(rag_app.app, "RagApp", opening)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailableError, match="it does not answer"):
            default_app()
    assert len(tries) == 1
    monkeypatch.setattr(process_app, "_PAUSE_S", 0.0)
    process_app._failed = None
    with pytest.raises(DatabaseUnavailableError):
        default_app()
    with pytest.raises(DatabaseUnavailableError):
        default_app()
    assert len(tries) == 3


def test_other_settings_are_tried_at_once(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    process_app._settings = None
    monkeypatch.setattr(process_app, "_source", None)  # Django's, where that was set up before
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@127.0.0.1:1/x")
    assert ProductionRAG.retrieve_context("ارسال", "t1")["reason"] == "retrieval failed: DatabaseUnavailableError"
    monkeypatch.setenv("DATABASE_URL", new_database())
    assert "has no documents" in str(ProductionRAG.retrieve_context("ارسال", "t1")["reason"])
