"""One side of the comparison as the driver sees it: a process that is asked by JSON lines, and the memory it takes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import psutil

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else RAGLite's library fetches the prices of models
}


class SideError(Exception):
    """A side can not be started, or ended."""


class Asked(NamedTuple):
    """What came of one question: by stage the document ids, best first, and the milliseconds."""

    rankings: Mapping[str, Sequence[str]]
    ms: Mapping[str, float]


class Memory(NamedTuple):
    """Megabytes: the most that the process ever held, and what its PostgreSQL holds now, 0 without one."""

    peak: float
    database: float


class Side:
    """Runs the worker of a side while the block lasts.

    Args:
        name: of the side.
        command: the interpreter of its environment and its script.
        folder: where it may store things; its home directory too.
        vectors: the folder of the vectors.
        log: what it prints is written to this file.
    """

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path, vectors: Path, log: Path) -> None:
        self.name = name
        self._folder = folder
        self._log = log
        with log.open("w") as told:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                [*map(str, command), str(folder), str(vectors)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
                encoding="utf-8",
                env={**os.environ, **OFFLINE, "HOME": str(folder)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()
        if error is None and self._process.returncode:
            raise self._ended()

    def ingest(self, documents: Mapping[str, str]) -> dict[str, Any]:
        """Store the documents and return the `seconds` that it took and the `versions` of the side's packages."""
        return self._answer({"do": "ingest", "documents": documents})

    def load(self, model: Path) -> None:
        """Load the cross-encoder."""
        self._answer({"do": "load", "model": str(model.resolve())})

    def ask(self, questions: Sequence[str], *, rerank: bool = False) -> list[Asked]:
        """Ask the questions one after the other; with `rerank` the cross-encoder orders the candidates."""
        answer = self._answer({"do": "ask", "questions": questions, "rerank": rerank})
        return [Asked(**asked) for asked in answer["asked"]]

    def memory(self) -> Memory:
        """Return what it took so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        servers = [
            process
            for file in self._folder.rglob("postmaster.pid")
            for server in [psutil.Process(int(file.read_text().split()[0]))]
            for process in (server, *server.children(recursive=True))
        ]
        return Memory(int(peak) / 1000, sum(process.memory_full_info().pss for process in servers) / 1e6)

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise self._ended()
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        if not (line := stdout.readline()):
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self) -> SideError:
        last = self._log.read_text("utf-8", errors="replace").strip().splitlines()[-1:] or ["nothing was printed"]
        return SideError(f"{self.name} ended: {last[0]} (all of it is in {self._log})")
