"""Another process on the same database: it opens an application and does what it is told, line by line.

Each line of its input is JSON: the name of a call and its arguments; each line of its output the answer. A call is a
method of `RagApp`, or one of `CALLS`, whose answers are plain.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rag_app import RagApp

SETTINGS: dict[str, Any] = {"deadline_s": 60, "retrieval": {"leg_timeout_s": 50, "fusion_top_k": 100}}


def legs(app: RagApp, question: str, tenant: str) -> dict[str, list[str]]:
    """Return the documents that each leg finds, and what failed."""
    found = search(app, question, tenant)
    return {name: found[name] for name in ("dense", "bm25", "failed")}


def search(app: RagApp, question: str, tenant: str, **options: Any) -> dict[str, list[Any]]:
    """Return the documents that each leg finds, the chunks that are shown, and what failed."""
    result = app.retrieve(question, tenant=tenant, **options)
    chunks = result.trace.chunks.values()
    found = {leg: sorted({chunk.doc_id for chunk in chunks if leg in chunk.legs}) for leg in ("dense", "bm25")}
    shown = [{**node.node.metadata, "content": node.node.get_content()} for node in result.nodes]
    return {**found, "shown": shown, "failed": [entry.component for entry in result.trace.degradations]}


def counts(app: RagApp, tenant: str) -> dict[str, dict[str, int]]:
    """Return how many documents and chunks each source is said to have."""
    return {source: vars(counted) for source, counted in app.stats(tenant).sources.items()}


def listed(app: RagApp, tenant: str, source: str | None = None) -> list[str]:
    """Return the ids of all documents, or of a source's, page by page."""
    page = app.documents(tenant=tenant, source=source, limit=2)
    doc_ids = [document.doc_id for document in page.documents]
    while page.next is not None:
        page = app.documents(tenant=tenant, source=source, limit=2, after=page.next)
        doc_ids += [document.doc_id for document in page.documents]
    return doc_ids


CALLS: dict[str, Callable[..., Any]] = {"legs": legs, "search": search, "counts": counts, "listed": listed}


def call(app: RagApp, name: str, *given: Any, **options: Any) -> Any:
    """Do what a line says, and return the answer as JSON can hold it."""
    answer = CALLS[name](app, *given, **options) if name in CALLS else getattr(app, name)(*given, **options)
    return vars(answer) if hasattr(answer, "__dict__") else answer


class Neighbour:
    """The other process, for a `with` block."""

    def __init__(self, url: str, settings: Mapping[str, Any] = SETTINGS) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.neighbour", url, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self.answer() == "ready"

    def tell(self, name: str, *given: Any, **options: Any) -> None:
        """Have it do a call; `answer` waits for what that returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, given, options]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, name: str, *given: Any, **options: Any) -> Any:
        """Have it do a call, and return what that returns."""
        self.tell(name, *given, **options)
        return self.answer()

    def __enter__(self) -> Neighbour:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


def main(url: str, settings: str) -> None:
    with RagApp.from_config(database={"url": url}, **json.loads(settings)) as app:
        say("ready")
        for line in sys.stdin:
            name, given, options = json.loads(line)
            say(call(app, name, *given, **options))


def say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
