"""`rag-app serve` in a process of its own, and a language model that takes its time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryFile
from threading import Event, Thread

from tests.ports import free_port

WORDS = [f"واژه{number}" for number in range(40)]
SLOW_ANSWER = f"{' '.join(WORDS)} [1]"
WORD_S = 0.05


class Serving:
    """A server process that can be killed and started again at the same address."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self.log = TemporaryFile("w+")  # noqa: SIM115 - closed with the server
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", "from rag_app.cli import main; main()", "serve", "--port", str(self.port)]
        self.log.seek(0)
        self.log.truncate()
        self._process = subprocess.Popen(command, env={**os.environ, **self._settings}, stderr=self.log)
        until = time.monotonic() + 60
        while not self._ready():
            assert self._process.poll() is None, self.log.seek(0) or self.log.read()
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError("the server does not become ready")
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError as error:  # 503 while it starts
            error.close()
            return False
        except OSError:
            return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)


@contextmanager
def serving(settings: Mapping[str, str]) -> Iterator[Serving]:
    """Serve with these settings, given as environment variables."""
    server = Serving(settings)
    try:
        yield server
    finally:
        server.kill()
        server.log.close()


class _SlowLLM(BaseHTTPRequestHandler):
    """Streams an answer word by word, as OpenAI's API does; the second half of it when it may go on."""

    protocol_version = "HTTP/1.1"
    may_go_on = Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for number, word in enumerate(SLOW_ANSWER.split(" ")):
                if number == len(WORDS) // 2:
                    self.may_go_on.wait(60)
                self._send({"delta": {"role": "assistant", "content": f"{word} "}, "finish_reason": None})
                time.sleep(WORD_S)
            self._send({"delta": {}, "finish_reason": "stop"})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass  # the one who asked is gone, as the test wants

    def _send(self, choice: dict[str, object]) -> None:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "slow"}
        data = json.dumps({**chunk, "choices": [{"index": 0, **choice}]})
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def halfway() -> Iterator[None]:
    """Have the slow model write the first half of an answer alone while the block runs."""
    _SlowLLM.may_go_on.clear()
    try:
        yield
    finally:
        _SlowLLM.may_go_on.set()


@contextmanager
def slow_llm() -> Iterator[dict[str, str]]:
    """Run the slow model, and give the settings by which it writes the answers."""
    _SlowLLM.may_go_on.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SlowLLM)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield {
            "RAG_APP_LLM__KIND": "openai_like",
            "RAG_APP_LLM__MODEL": "slow",
            "RAG_APP_LLM__API_KEY": "none",
            "RAG_APP_LLM__API_BASE": f"http://127.0.0.1:{server.server_port}/v1",
        }
    finally:
        server.shutdown()
        server.server_close()
