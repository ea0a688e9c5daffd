"""Another process on the same database: it opens an application and does what it is told, line by line.

Each line of its input is JSON: the name of a method of `RagApp` and its arguments; each line of its output the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any

from rag_app import RagApp

SETTINGS: dict[str, Any] = {"deadline_s": 60, "retrieval": {"leg_timeout_s": 50, "fusion_top_k": 100}}


def legs(app: RagApp, question: str, tenant: str) -> dict[str, list[str]]:
    """Return the documents that each leg finds, and what failed."""
    trace = app.retrieve(question, tenant=tenant).trace
    found = {
        leg: sorted({chunk.doc_id for chunk in trace.chunks.values() if leg in chunk.legs}) for leg in ("dense", "bm25")
    }
    return {**found, "failed": [entry.component for entry in trace.degradations]}


class Neighbour:
    """The other process, for a `with` block."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.neighbour", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self.answer() == "ready"

    def tell(self, method: str, *given: Any, **options: Any) -> None:
        """Have it call a method; `answer` waits for what that returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([method, given, options]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, method: str, *given: Any, **options: Any) -> Any:
        """Have it call a method, and return what that returns."""
        self.tell(method, *given, **options)
        return self.answer()

    def __enter__(self) -> Neighbour:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


def main(url: str) -> None:
    with RagApp.from_config(database={"url": url}, **SETTINGS) as app:
        say("ready")
        for line in sys.stdin:
            method, given, options = json.loads(line)
            say(legs(app, *given, **options) if method == "legs" else getattr(app, method)(*given, **options))


def say(answer: Any) -> None:
    sys.stdout.write(json.dumps(vars(answer) if hasattr(answer, "__dict__") else answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
