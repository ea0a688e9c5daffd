"""Ingestions killed at random moments, and PostgreSQL killed under them: what is stored must be whole after each kill.

Every document must be whole and of one version, every call that returned must have lasted, no generation may go back,
an index that was left half built must be mended, and running the same again must lead to what a clean run leads to.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import ingesting
import psutil
from ingesting import DOCUMENTS, State, settings, states, steps
from integrity import Integrity
from sqlalchemy import TextClause, text

from rag_app import RagApp
from rag_app.errors import EmbeddedDatabaseError
from rag_app.storage import start_embedded

VICTIMS = ("ingestion", "postgres", "postmaster")  # the process, the whole server, and its first process alone
_BUILDS = text("SELECT count(*) FROM pg_stat_progress_create_index")
_BUSY = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'
""")
CLEAN = "clean"
_PATIENCE_S = 60.0


@dataclass
class Report:
    """What came of the kills.

    Attributes:
        kills: how many there were, by what was killed.
        steps: after how many finished steps, of eleven; after the last, at most an index was still being built.
        during_builds: kills while an index was being built.
        indexes: in what state the kill left the index.
        violations: what was wrong, a line for each.
    """

    kills: dict[str, int] = field(default_factory=dict)
    steps: dict[int, int] = field(default_factory=dict)
    during_builds: int = 0
    indexes: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class Crashes:
    """An application of ours beside the processes that are killed, on one embedded server; for a `with` block.

    Args:
        app: opened with `ingesting.settings(documents)`.
        data_dir: the server's folder.
        documents: how many each process ingests.
        seed: decides who is killed, and when.
    """

    def __init__(self, app: RagApp, data_dir: Path, *, documents: int = DOCUMENTS, seed: int = 0) -> None:
        self._app = app
        self._data_dir = data_dir
        self._documents = documents
        self._steps = steps(documents)
        self._final = states({}, self._steps)[-1]
        self._choose = random.Random(seed)  # noqa: S311 - nothing secret
        self._integrity = Integrity(app)
        self._next = self._start()
        self._seconds = 0.0

    def __enter__(self) -> Crashes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._next.kill()
        self._next.communicate()

    def run(self, kills: int, victims: tuple[str, ...] = VICTIMS) -> Report:
        """Kill so often, each of the victims in turn, and check and complete what is left each time."""
        report = Report(violations=self._run_clean())
        counts: defaultdict[str, Counter[Any]] = defaultdict(Counter)
        tenant = ""
        first: State = {}
        for number in range(kills):
            victim = victims[number % len(victims)]
            if not tenant or self._choose.random() < 0.5:
                tenant, first = f"tenant {number}", {}
            done, during_build, escaped = self._kill(victim, tenant)
            if number + 1 < kills:
                self._next = self._start()  # it opens while this kill is judged
            index, wrong = self._judge(tenant, first, done)
            report.violations += [f"kill {number} of {victim} after step {done}: {line}" for line in escaped + wrong]
            counts["kills"][victim] += 1
            counts["indexes"][index] += 1
            counts["steps"][done] += 1
            report.during_builds += during_build
            first = self._final
        report.kills, report.indexes = dict(counts["kills"]), dict(counts["indexes"])
        report.steps = dict(sorted(counts["steps"].items()))
        return report

    def _run_clean(self) -> list[str]:
        """Let a process do all without a kill, and see how long its steps take."""
        process = self._ready()
        with process:
            started = time.perf_counter()
            _name_tenant(process, CLEAN)
            for line in process.stdout or ():
                if json.loads(line) == {"done": len(self._steps)}:
                    self._seconds = time.perf_counter() - started
        if process.returncode or not self._seconds:
            raise RuntimeError("the ingestion does not end")
        self._next = self._start()
        return [f"a clean run: {line}" for line in self._integrity.rows(CLEAN, self._final, self._final)]

    def _kill(self, victim: str, tenant: str) -> tuple[int, bool, list[str]]:
        """Return how many steps were done, whether an index was being built, and what should not have been said."""
        in_build = self._choose.random() < 0.4
        moment = self._choose.random()
        process = self._ready()
        _name_tenant(process, tenant)
        if in_build:
            self._wait_for_a_build(process)
        time.sleep(moment * (0.05 if in_build else self._seconds))
        building = self._count(_BUILDS) > 0
        if victim == "ingestion":
            process.kill()
        else:
            self._kill_server(alone=victim == "postmaster")
        said = [json.loads(line) for line in process.communicate(timeout=_PATIENCE_S)[0].splitlines()]
        done = max((entry["done"] for entry in said if "done" in entry), default=0)
        self._wait(lambda: self._count(_BUSY) == 0, "a backend of the killed process goes on")
        return done, building, [] if victim == "ingestion" else _escaped(process, said)

    def _judge(self, tenant: str, first: State, done: int) -> tuple[str, list[str]]:
        """Check what a kill left, do all steps to the end, and compare that with a clean run."""
        found = states(first, self._steps)
        check = self._integrity
        wrong = check.rows(tenant, found[done], found[min(done + 1, len(self._steps))])
        wrong += check.retrieval(tenant, check.stored(tenant))
        index, unmended = check.index(tenant)
        wrong += unmended + check.retrieval(tenant, check.stored(tenant))
        for step in self._steps:
            step.call(self._app, tenant)
        wrong += check.rows(tenant, self._final, self._final)
        if check.content(tenant) != check.content(CLEAN):
            wrong.append("the completed run differs from a clean one")
        return index, wrong

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-W", "ignore", ingesting.__file__, str(self._data_dir), str(self._documents)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _ready(self) -> subprocess.Popen[str]:
        """Return the process that was started, once it waits for its tenant."""
        process = self._next
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError("the ingestion does not start")
        return process

    def _wait_for_a_build(self, process: subprocess.Popen[str]) -> None:
        until = time.monotonic() + 2 * self._seconds
        while self._count(_BUILDS) == 0 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)

    def _kill_server(self, *, alone: bool) -> None:
        """Kill the server, or its first process alone, which the others notice; then start it again."""
        lock_file = self._data_dir / "postgres" / "postmaster.pid"
        postmaster = psutil.Process(int(lock_file.read_text().split()[0]))
        processes = [postmaster, *(() if alone else postmaster.children())]
        for process in processes:
            process.kill()
        self._wait(lambda: _is_gone(postmaster), "the server can not be killed")
        self._wait(self._starts, "the server does not start again")

    def _starts(self) -> bool:
        try:
            start_embedded(self._data_dir)
        except EmbeddedDatabaseError:  # a process of the old server still goes on
            return False
        return True

    def _count(self, query: TextClause) -> int:
        with self._app.database.transaction() as connection:
            return int(connection.scalar(query) or 0)

    @staticmethod
    def _wait(condition: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                raise RuntimeError(otherwise)
            time.sleep(0.05)


def _is_gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _name_tenant(process: subprocess.Popen[str], tenant: str) -> None:
    if process.stdin is not None:
        process.stdin.write(f"{tenant}\n")
        process.stdin.flush()


def _escaped(process: subprocess.Popen[str], said: list[dict[str, object]]) -> list[str]:
    """Return what a process said that lost its database, if that is not that it did."""
    failures = [entry["failed"] for entry in said if "failed" in entry]
    if process.returncode or any(failure != "DatabaseUnavailableError" for failure in failures):
        return [f"the ingestion ended with {process.returncode} {failures}"]
    return []


def main() -> None:
    """Kill, print the report, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # they are what is to be expected of a server that is killed
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        RagApp.from_config(data_dir=folder, **settings(DOCUMENTS)) as app,
        Crashes(app, Path(folder), seed=given.seed) as crashes,
    ):
        report = crashes.run(given.kills)
    print(json.dumps({**asdict(report), "violations": report.violations[:50]}, indent=2, ensure_ascii=False))
    if report.violations:
        sys.exit(f"{len(report.violations)} violations")


if __name__ == "__main__":
    main()
