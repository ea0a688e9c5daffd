import socket
from collections.abc import AsyncIterator

import pytest

from rag_app.errors import ComponentError, ConfigurationError
from rag_app.tokens.gemini_api import GeminiAPITokenCounter
from tests.gemini_server import GeminiServer

KEY = "key-that-nobody-may-read"
TEXT = "متن " * 40


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def counter(server: GeminiServer) -> AsyncIterator[GeminiAPITokenCounter]:
    opened = GeminiAPITokenCounter("gemini-2.5-flash", KEY, server.url)
    yield opened
    await opened.aclose()


async def failure(counter: GeminiAPITokenCounter, timeout_s: float = 5) -> ComponentError:
    with pytest.raises(ComponentError) as raised:
        await counter.acount(TEXT, timeout_s=timeout_s)
    assert KEY not in str(raised.value)
    assert "متن" not in str(raised.value)
    return raised.value


async def test_a_text_is_counted_by_one_request(counter: GeminiAPITokenCounter, server: GeminiServer) -> None:
    assert await counter.acount(TEXT, timeout_s=5) == 40
    (request,) = server.requests
    assert (request.path, request.headers["x-goog-api-key"]) == ("/v1beta/models/gemini-2.5-flash:countTokens", KEY)
    assert request.body["contents"] == [{"role": "user", "parts": [{"text": TEXT}]}]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "bad request"), (403, "refused key"), (404, "bad request"), (429, "quota"), (500, "unavailable")],
)
async def test_a_refusal_is_told_and_not_asked_again(
    counter: GeminiAPITokenCounter, server: GeminiServer, status: int, reason: str
) -> None:
    server.counting.status = status
    assert (await failure(counter)).reason == reason
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "reason"), [(b"{}", "invalid answer"), (b'{"totalTokens": 0}', "invalid answer"), (b"oops", "unavailable")]
)
async def test_an_answer_without_a_number_is_none(
    counter: GeminiAPITokenCounter, server: GeminiServer, body: bytes, reason: str
) -> None:
    server.counting.body = body
    assert (await failure(counter)).reason == reason


async def test_a_slow_answer_is_not_awaited(counter: GeminiAPITokenCounter, server: GeminiServer) -> None:
    server.counting.delay_s = 0.5
    assert (await failure(counter, timeout_s=0.15)).reason == "time-out"


async def test_a_service_that_is_not_there_is_unavailable_and_after_a_while_not_tried() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        counter = GeminiAPITokenCounter("gemini-2.5-flash", KEY, f"http://127.0.0.1:{taken.getsockname()[1]}")
        reasons = [(await failure(counter)).reason for _ in range(4)]
        await counter.aclose()
    assert reasons == ["unavailable"] * 3 + ["not tried"]


def test_a_key_is_needed() -> None:
    with pytest.raises(ConfigurationError, match=r"set llm\.api_key"):
        GeminiAPITokenCounter("gemini-2.5-flash")
