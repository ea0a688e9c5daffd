import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag_app import RagApp
from rag_app.errors import ConfigurationError
from rag_app.serving import Method
from rag_app.tokens import gemini_local, open_counters
from rag_app.tokens.choice import CounterKind
from tests.gemini_server import GeminiServer

SETTINGS = {"model": "gemini-2.5-flash", "api_key": "k"}


@pytest.fixture(autouse=True)
def _nothing_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemini_local, "_SHA256", "0" * 64)


@pytest.mark.parametrize(
    ("kind", "with_file", "counter", "final"),
    [
        ("auto", False, "estimate", None),
        ("auto", True, "gemini_local", None),
        ("estimate", True, "estimate", None),
        ("gemini_local", True, "gemini_local", None),
        ("gemini_api", False, "estimate", "gemini_api"),
        ("gemini_api", True, "gemini_local", "gemini_api"),
    ],
)
async def test_the_setting_names_who_counts(
    tokenizer_file: Path, kind: CounterKind, with_file: bool, counter: str, final: str | None
) -> None:
    counters = open_counters(kind, tokenizer_file if with_file else None, **SETTINGS)
    assert counters.counter.name == counter
    assert (counters.final_counter.name if counters.final_counter else None) == final
    await counters.aclose()


def test_a_tokenizer_that_is_not_here_is_not_fetched() -> None:
    with pytest.raises(ConfigurationError, match=r"needs context\.tokenizer_file"):
        open_counters("gemini_local", **SETTINGS)


def test_a_file_that_was_named_is_never_passed_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can not be read"):
        open_counters("auto", tmp_path / "gone", **SETTINGS)


TEXT = "ارسال کتاب با پست ۶۵٬۰۰۰ تومان است و دو روز کاری طول می‌کشد. " * 6


@pytest.fixture
def app(new_database: Callable[[], str], server: GeminiServer) -> Iterator[RagApp]:
    """An application whose contexts the server counts."""
    with RagApp.from_config(
        database={"url": new_database()},
        deadline_s=30,
        context={"token_counter": "gemini_api", "primary_budget": 400, "secondary_budget": 0},
        llm={"api_key": "k", "api_base": server.url},
        retrieval={"leg_timeout_s": 20},
    ) as opened:
        texts = (f"{TEXT}شعبه {place}." for place in ("ونک", "تجریش"))
        opened.ingest([{"id": str(place), "text": text} for place, text in enumerate(texts)], tenant="t")
        yield opened


def test_a_context_is_counted_by_one_request(app: RagApp, server: GeminiServer) -> None:
    result = app.retrieve("هزینه ارسال کتاب", tenant="t")
    assert (result.token_counter, result.tokens) == ("gemini_api", len(result.context) // 4)
    assert [request.body["contents"][0]["parts"][0]["text"] for request in server.requests] == [result.context]
    assert not result.degraded


def test_chunks_are_dropped_from_the_end_until_the_model_itself_finds_that_they_fit(
    app: RagApp, server: GeminiServer
) -> None:
    whole = app.retrieve("هزینه ارسال کتاب", tenant="t")
    assert len(whole.nodes) == 2
    server.counting.per_character = 400 / len(whole.context) + 0.01
    result = app.retrieve("هزینه ارسال کتاب", tenant="t")
    assert [node.node.node_id for node in result.nodes] == [whole.nodes[0].node.node_id]
    assert (result.token_counter, result.tokens <= 400) == ("gemini_api", True)
    dropped = result.trace.chunks[whole.nodes[1].node.node_id].dropped
    assert dropped == "context: does not fit the budget of 400 tokens"


@pytest.mark.parametrize("method", ["production_rag", "context_retriever"])
def test_the_estimate_that_stands_in_is_named(app: RagApp, server: GeminiServer, method: Method) -> None:
    server.counting.status = 503
    result = app.retrieve("هزینه ارسال کتاب", tenant="t", method=method)
    assert result.token_counter == "estimate"
    assert 0 < result.tokens <= 400
    noted = [(entry.stage, entry.component, entry.fallback, entry.reason) for entry in result.trace.degradations]
    assert noted == [("context", "gemini_api", "estimate", "unavailable")]
    assert len(server.requests) == 1


def test_an_api_that_hangs_does_not_hold_up_a_request(app: RagApp, server: GeminiServer) -> None:
    server.counting.delay_s = 12
    started = time.monotonic()
    result = app.retrieve("هزینه ارسال کتاب", tenant="t")
    assert time.monotonic() - started < 10
    assert (result.token_counter, [entry.reason for entry in result.trace.degradations]) == ("estimate", ["time-out"])
