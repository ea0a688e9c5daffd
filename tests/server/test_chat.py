from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from llama_index.core.llms import ChatMessage

from tests.server.running import Running


def events_of(answer: httpx.Response) -> list[tuple[str, Any]]:
    """The names and the data of the events of an answer."""
    found = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


@contextmanager
def written_by(server: Running, write: Any) -> Iterator[None]:
    """Have something else write the answers."""
    before = server.app.chat._write
    server.app.chat._write = write
    try:
        yield
    finally:
        server.app.chat._write = before


def waited(condition: Any, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(condition())


def test_an_answer_comes_as_retrieval_pieces_and_the_whole(client: httpx.Client, tenant: str) -> None:
    answer = client.post("/v1/chat", json={"question": "ارسال چند روز طول میکشه؟"}, headers={"X-Request-ID": "my-1"})
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    (first, retrieval), *pieces, (last, done) = events_of(answer)
    assert (first, last, {name for name, _ in pieces}) == ("retrieval", "done", {"delta"})
    assert retrieval["question"] == "ارسال چند روز طول میکشه؟"
    assert retrieval["question_reason"]
    assert (retrieval["result"]["tenant"], retrieval["result"]["chunks"][0]["doc_id"]) == (tenant, "m1")
    assert retrieval["result"]["trace"]["stages"]
    assert "".join(piece["text"] for _, piece in pieces) == done["text"]
    assert "سه روز کاری" in done["text"]
    assert (done["citations"], done["llm"], done["outcome"]) == ([1], "extractive", "answered")
    assert done["usage"]["total_tokens"] > done["usage"]["completion_tokens"] > 0
    assert done["token_counter"] == "estimate"
    assert done["request_id"] == "my-1"


def test_the_history_is_read(server: Running, client: httpx.Client) -> None:
    requests: list[Sequence[ChatMessage]] = []

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        requests.append(messages)
        yield "پاسخ"

    history = [
        {"role": "user", "content": "ارسال سفارش چطوریه؟"},
        {"role": "assistant", "content": "تا سه روز کاری [1]."},
    ]
    with written_by(server, write):
        client.post("/v1/chat", json={"question": "مرجوعی کالا چطوریه؟", "history": history})
    (request,) = requests
    assert "ارسال سفارش چطوریه؟" in "".join(message.content or "" for message in request)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "question"),
        ({"question": "a", "tenant": "b"}, "tenant"),
        ({"question": "a" * 2001}, "question"),
        ({"question": "a", "history": [{"role": "system", "content": "b"}]}, "history.0.role"),
        ({"question": "a", "history": [{"role": "user", "content": "b", "tenant": "c"}]}, "history.0.tenant"),
        ({"question": "a", "history": [{"role": "user", "content": "b"}] * 101}, "history"),
        ({"question": "a", "filters": {"tenant": "b"}}, None),
    ],
)
def test_a_wrong_request_is_answered_before_any_event(
    client: httpx.Client, body: dict[str, Any], param: str | None
) -> None:
    answer = client.post("/v1/chat", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    halves = client.post(
        "/v1/chat",
        content=b'{"question": "a", "history": [{"role": "user", "content": "\\udfff"}]}',
        headers={"Content-Type": "application/json"},
    )
    assert halves.json()["error"]["param"] == "history.0.content"


def test_the_pieces_come_when_they_are_written(server: Running, client: httpx.Client) -> None:
    go_on = threading.Event()

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        yield "یک "
        await asyncio.to_thread(go_on.wait, 20)
        yield "دو"

    with written_by(server, write), client.stream("POST", "/v1/chat", json={"question": "ارسال سفارش"}) as answer:
        seen = ""
        for piece in answer.iter_text():
            seen += piece
            if "یک" in seen and not go_on.is_set():
                assert "دو" not in seen
                go_on.set()
        assert "event: done" in seen


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_ends_the_work(server: Running, client: httpx.Client, path: str, stream: bool) -> None:
    started, ended = threading.Event(), threading.Event()

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        started.set()
        try:
            yield "یک "
            await asyncio.sleep(60)
            yield "دو"
        finally:
            ended.set()

    body: dict[str, Any] = {"question": "ارسال سفارش"}
    if path.endswith("completions"):
        body = {"messages": [{"role": "user", "content": "ارسال سفارش"}], "stream": stream}
    with written_by(server, write):
        with pytest.raises(httpx.ReadTimeout):
            client.post(path, json=body, timeout=httpx.Timeout(20, read=1))
        assert started.is_set()
        assert waited(ended.is_set)
    assert waited(lambda: not server.services.requests.busy)


def test_a_failure_of_ours_in_the_middle_is_an_event(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag_app.chat import ChatService

    async def broken(*_: Any) -> AsyncIterator[Any]:
        raise KeyError("a customer's words")
        yield

    monkeypatch.setattr(ChatService, "astream", broken)
    ((name, data),) = events_of(client.post("/v1/chat", json={"question": "ارسال"}))
    assert name == "error"
    assert data == {
        "error": {"message": "an internal error", "type": "server_error", "code": "internal_error", "param": None}
    }
