"""A local HTTP server that answers and counts as the Gemini API does, and as OpenAI's chat completions, by a script."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_OPENAI_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}


@dataclass(frozen=True)
class Reply:
    """What one request is answered.

    Attributes:
        texts: the pieces of the answer, one event each; without any there is no candidate.
        finish: the finish reason of the last piece; None for none.
        blocked: why the prompt was blocked, if it was.
        status: of the response; but for 200, `error` is its whole content.
        error: what the API says went wrong.
        headers: further ones of the response.
        delay_s: before the response begins.
        pause_s: before each piece but the first.
        read: released by who has read a piece, before which the next does not come.
        cut: the connection is closed after the last piece, without an end.
        tokens: what is told of those of the request, the text and the thoughts; by OpenAI's completions only if given.
    """

    texts: tuple[str, ...] = ("سلام. ", "ارسال ۵۰ هزار تومان است [1].")
    finish: str | None = "STOP"
    blocked: str | None = None
    status: int = 200
    error: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0
    pause_s: float = 0
    read: threading.Semaphore | None = None
    cut: bool = False
    tokens: tuple[int, int, int] | None = None


@dataclass
class Counting:
    """How requests for the number of tokens are answered.

    Attributes:
        per_character: tokens for each character of a text.
        status: of the responses.
        body: what they hold in place of a count.
        delay_s: before they begin.
    """

    per_character: float = 0.25
    status: int = 200
    body: bytes | None = None
    delay_s: float = 0


def quota_used_up(retry_delay: str | None = None) -> Reply:
    """Return Gemini's answer to too many requests, with a `RetryInfo` if a delay is given."""
    info = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay}] if retry_delay else []
    error = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": info}
    return Reply(status=429, error=error)


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float


class GeminiServer:
    """Answers each request with the next reply of its script, and with a plain one when that is at its end.

    Requests for the number of tokens take no reply.

    Attributes:
        url: what `api_base` is set to for Gemini; OpenAI's completions are below `/v1` of it.
        requests: those so far.
        counting: how the number of tokens is told.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.counting = Counting()
        self._script: deque[Reply] = deque()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def script(self, *replies: Reply) -> None:
        """Set the replies to the next requests."""
        self._script = deque(replies)

    def next_reply(self) -> Reply:
        """Take the next reply of the script."""
        return self._script.popleft() if self._script else Reply()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def gemini_server() -> Iterator[GeminiServer]:
    """Run a server while the block runs."""
    server = GeminiServer()
    yield server
    server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Let those go who broke the connection off; whatever else is a fault of a test, and shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    owner: GeminiServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        self.owner.requests.append(Request(self.path, dict(self.headers), body, time.monotonic()))
        path, _, query = self.path.partition("?")
        with suppress(ConnectionError):  # who asked may be gone
            if path.endswith(":countTokens"):
                self._count(self.owner.counting, body)
                return
            reply = self.owner.next_reply()
            time.sleep(reply.delay_s)
            if path.endswith("/chat/completions"):
                self._answer(reply, _openai_events(reply), sse=True, done=True, streamed=bool(body.get("stream")))
            else:
                streamed = path.endswith(":streamGenerateContent")
                self._answer(reply, _gemini_events(reply), sse="alt=sse" in query, streamed=streamed)

    def _count(self, counting: Counting, body: dict[str, Any]) -> None:
        time.sleep(counting.delay_s)
        if counting.body is not None:
            self._send(counting.status, counting.body)
        elif counting.status != 200:
            self._send_json(counting.status, _error(counting.status, {}))
        else:
            text = "".join(part["text"] for content in body["contents"] for part in content["parts"])
            self._send_json(200, {"totalTokens": int(len(text) * counting.per_character)})

    def _answer(
        self, reply: Reply, events: list[dict[str, Any]], *, sse: bool, streamed: bool, done: bool = False
    ) -> None:
        if reply.status != 200:
            self._send_json(reply.status, _error(reply.status, reply.error), reply.headers)
        elif streamed:
            self._stream(reply, events, sse=sse, done=done)
        else:
            self._send_json(200, _whole(events), reply.headers)

    def _send_json(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), headers)

    def _send(self, status: int, encoded: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(encoded)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(encoded)

    def _stream(self, reply: Reply, events: list[dict[str, Any]], *, sse: bool, done: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{'text/event-stream' if sse else 'application/json'}; charset=UTF-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at, event in enumerate(events):
            time.sleep(reply.pause_s if at else 0)
            if at and reply.read is not None:
                assert reply.read.acquire(timeout=20), f"nobody read piece {at} before the next"
            text = json.dumps(event, ensure_ascii=False)
            self._chunk(f"data: {text}\n\n" if sse else f"{',' if at else '['}{text}\n")
        if reply.cut:
            self.close_connection = True
            return
        if not sse:
            self._chunk("]" if events else "[]")
        elif done:
            self._chunk("data: [DONE]\n\n")
        self._chunk("")

    def _chunk(self, text: str) -> None:
        encoded = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(encoded), encoded))
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has
        """Keep quiet."""


def _error(status: int, more: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": status, "message": "Failed.", "status": "FAILED", **more}}


def _gemini_events(reply: Reply) -> list[dict[str, Any]]:
    prompt, text, thoughts = reply.tokens or (1, 1, 0)
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": text, "totalTokenCount": prompt + text + thoughts}
    usage = {"usageMetadata": {**counts, **({"thoughtsTokenCount": thoughts} if thoughts else {})}}
    if reply.blocked:
        return [{"promptFeedback": {"blockReason": reply.blocked}, **usage}]
    if not reply.texts:
        candidate = {"candidates": [{"finishReason": reply.finish, "index": 0}]} if reply.finish != "STOP" else {}
        return [{**candidate, **usage}]
    events = []
    for at, text in enumerate(reply.texts, start=1):
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
        if at == len(reply.texts) and reply.finish and not reply.cut:
            candidate["finishReason"] = reply.finish
        events.append({"candidates": [candidate], **usage})
    return events


def _openai_events(reply: Reply) -> list[dict[str, Any]]:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    finish = _OPENAI_FINISH.get(reply.finish or "")
    if reply.blocked:
        finish = "content_filter"
    contents: list[dict[str, Any]] = [] if reply.blocked else [{"content": text} for text in reply.texts]
    events = [
        {**base, "choices": [{"index": 0, "delta": {"role": "assistant", **content}, "finish_reason": None}]}
        for content in contents
    ]
    if finish and not reply.cut and (contents or finish != "stop"):
        events.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if reply.tokens is not None:
        prompt, text, thoughts = reply.tokens
        counts = {"prompt_tokens": prompt, "completion_tokens": text + thoughts, "total_tokens": sum(reply.tokens)}
        events.append({**base, "choices": [], "usage": counts})
    return events


def _whole(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one response that the events of Gemini's stream are pieces of."""
    texts = [
        part["text"]
        for event in events
        for candidate in event.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
    ]
    last = json.loads(json.dumps(events[-1]))
    if texts:
        last["candidates"][0]["content"]["parts"] = [{"text": "".join(texts)}]
    return last
