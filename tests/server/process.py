"""`rag-app serve` as a process of its own, and a request that it waits for the rest of."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from rag_app.storage import Database, KeyStore

ROOT = Path(__file__).parents[2]
MAIN = "from rag_app.cli import main; main()"
HELD = b'{"query": "secret-words"}'


class Process:
    """A server in a process of its own; `key` is of the tenant `t`."""

    def __init__(self, url: str, log: Path, *options: str, drain_s: float = 60, per_minute: int = 120) -> None:
        self.log = log
        limits = {"RAG_APP_SERVER__DRAIN_S": str(drain_s), "RAG_APP_SERVER__REQUESTS_PER_MINUTE": str(per_minute)}
        environment = {**os.environ, "DATABASE_URL": url, **limits}
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "serve", "--port", "0", *options], stderr=stderr, env=environment, cwd=ROOT
            )
        until = time.monotonic() + 120
        while (found := re.search(r"running on (http://\S+)", log.read_text())) is None and time.monotonic() < until:
            assert self.process.poll() is None, log.read_text()
            time.sleep(0.05)
        assert found is not None, log.read_text()
        self.url = found[1]
        database = Database(url)
        self.key = KeyStore(database).create("t")[1]
        database.engine.dispose()

    def hold(self) -> HeldRequest:
        """Begin a request whose body is not all there."""
        return HeldRequest(self.url, self.key)


class HeldRequest:
    """A request that the server waits for the rest of."""

    def __init__(self, url: str, key: str) -> None:
        address = httpx.URL(url)
        self._connection = socket.create_connection((address.host, address.port), 20)
        head = (
            f"POST /v1/retrieve HTTP/1.1\r\nHost: {address.netloc.decode()}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(HELD)}\r\nX-Request-ID: held-1\r\n\r\n"
        )
        self._connection.sendall(head.encode() + HELD[:5])

    def finish(self) -> bytes:
        """Send the rest and return the status line."""
        self._connection.sendall(HELD[5:])
        return self.answer()

    def answer(self) -> bytes:
        """Return the status line, or nothing if the server closed the connection."""
        with self._connection as connection:
            return connection.recv(12)
