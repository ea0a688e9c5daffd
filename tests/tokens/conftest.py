"""A small SentencePiece model of the sample's language, and a server that counts as Gemini's API does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import INSTITUTE


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-pair model as Gemma's is: digits apart, spaces kept, bytes for unknown characters."""
    import sentencepiece

    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    with file.open("wb") as model:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(
                line
                for path in sorted((INSTITUTE / "documents").rglob("*.md"))
                for line in path.read_text("utf-8").splitlines()
            ),
            model_writer=model,
            model_type="bpe",
            vocab_size=2000,
            byte_fallback=True,
            split_digits=True,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
            minloglevel=2,
        )
    return file


@dataclass
class CountingServer:
    """What the server was asked, and how it is to answer.

    Attributes:
        url: where it listens.
        asked: the requests: path, key and body.
        per_character: tokens for each character of a text.
        status: of its answers.
        body: what it answers in place of a count.
        wait_s: how long it takes.
    """

    url: str
    asked: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    per_character: float = 0.25
    status: int = 200
    body: bytes | None = None
    wait_s: float = 0.0


@pytest.fixture
def counting_server() -> Iterator[CountingServer]:
    """A server that answers `POST /v1beta/models/MODEL:countTokens` as Gemini's does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append((self.path, self.headers.get("x-goog-api-key"), body))
            time.sleep(state.wait_s)
            text = "".join(part["text"] for content in body["contents"] for part in content["parts"])
            answer: dict[str, Any] = {"totalTokens": int(len(text) * state.per_character)}
            if state.status != 200:
                answer = {"error": {"code": state.status, "message": "no", "status": "UNAVAILABLE"}}
            sent = json.dumps(answer).encode() if state.body is None else state.body
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            with suppress(ConnectionError):  # who asked did not wait
                self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = CountingServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()
