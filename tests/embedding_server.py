"""A local HTTP server that embeds as the Gemini API and OpenAI's do: by hashing, so that like texts lie close."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rag_app.embeddings import HashingEmbedding


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if ":batchEmbedContents" in self.path:
            asked = body["requests"]
            texts = [" ".join(part["text"] for part in each["content"]["parts"]) for each in asked]
            answer: Any = {"embeddings": [{"values": vector} for vector in _vectors(texts, _dim(asked[0]))]}
        elif ":embedContent" in self.path:
            texts = [" ".join(part["text"] for part in body["content"]["parts"])]
            answer = {"embedding": {"values": _vectors(texts, _dim(body))[0]}}
        else:
            vectors = _vectors(body["input"], 64)
            data = [
                {"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)
            ]
            answer = {
                "object": "list",
                "model": body["model"],
                "data": data,
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output to the tests."""


def _dim(request: dict[str, Any]) -> int:
    return int(request.get("outputDimensionality") or request.get("embedContentConfig", {}).get("outputDimensionality"))


def _vectors(texts: list[str], dim: int) -> list[list[float]]:
    return HashingEmbedding(embed_dim=dim).get_text_embedding_batch(texts)


@contextmanager
def embedding_server() -> Iterator[str]:
    """Run a server while the block runs, and give its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
