"""A small Hugging Face hub: one model, served over HTTP from a folder as the hub does, and the requests it got."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Where it listens, and what it was asked; a request that came through it as a proxy has a whole URL."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_hub(model: str, files: dict[str, bytes]) -> Iterator[Hub]:
    """Serve `files` as the model of this id for the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            self._answer(unquote(urlsplit(self.path).path))

        do_HEAD = do_GET  # noqa: N815 - as http.server names it

        def _answer(self, path: str) -> None:
            resolved = f"/{model}/resolve/{COMMIT}/"
            if path == f"/api/models/{model}/revision/main":
                siblings = [{"rfilename": name} for name in files]
                self._send(json.dumps({"id": model, "sha": COMMIT, "siblings": siblings}).encode())
            elif path == f"/api/models/{model}/tree/{COMMIT}":
                self._send(json.dumps([_entry(name, content) for name, content in files.items()]).encode())
            elif path.startswith(resolved) and (content := files.get(path.removeprefix(resolved))) is not None:
                self._send(content)
            else:
                self._send(b"{}", 404, {"X-Error-Code": "RepoNotFound"})

        def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            told = {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": COMMIT, **(headers or {})}
            for name, value in (told | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub = Hub(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of a folder's files by name."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
