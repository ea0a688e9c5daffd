"""Several processes on one port: none is missed, whichever of them is renewed, killed or told to stop."""

from __future__ import annotations

import multiprocessing
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from rag_app import RagApp
from rag_app.server import running
from tests.network import Network, network
from tests.server.process import Process

PATIENCE_S = 90


@pytest.fixture(scope="module")
def way(new_database: Callable[[], str]) -> Iterator[Network]:
    """The network to the processes' database."""
    with network(new_database()) as opened:
        yield opened


@pytest.fixture(scope="module")
def process(way: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    log = tmp_path_factory.mktemp("processes") / "log"
    started = Process(way.url, log, "--processes", "2", drain_s=20, per_minute=1_000_000)
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.wait(60)


def started(process: Process) -> list[int]:
    """The processes that have begun to serve so far, in that order."""
    return [int(found) for found in re.findall(r"Started server process \[(\d+)\]", process.log.read_text())]


def serving(process: Process) -> list[int]:
    return [pid for pid in started(process) if psutil.pid_exists(pid)]


def until(holds: Callable[[], bool], process: Process) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, process.log.read_text()
        time.sleep(0.05)


class Clients:
    """Threads that ask with hardly a pause, half of them by a new connection each time; for a `with` block."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number % 2 == 0,)) for number in range(4)]
        self.answers: Counter[str] = Counter()

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, anew: bool) -> None:
        headers = {"Authorization": f"Bearer {self._process.key}", **({"Connection": "close"} if anew else {})}
        with httpx.Client(base_url=self._process.url, headers=headers, timeout=30) as client:
            while not self._over.wait(0.05):
                try:
                    answer = client.get("/v1/whoami")
                    self.answers[str(answer.status_code)] += 1
                except httpx.HTTPError as error:
                    self.answers[type(error).__name__] += 1


def test_connections_that_are_kept_are_spread(process: Process) -> None:
    with ExitStack() as opened:
        for _ in range(8):
            client = opened.enter_context(httpx.Client(base_url=process.url))
            assert client.get("/healthz").status_code == 200
        assert all(connections(pid) for pid in serving(process))


def connections(pid: int) -> int:
    return sum(each.status == psutil.CONN_ESTABLISHED for each in psutil.Process(pid).net_connections("tcp"))


def test_all_are_renewed_once_the_database_is_back_and_no_request_is_lost(process: Process, way: Network) -> None:
    before = serving(process)
    assert len(before) == 2
    way.refuse()
    process.process.send_signal(signal.SIGHUP)
    until(lambda: "a server process ended with" in process.log.read_text(), process)
    assert serving(process) == before
    way.recover()
    with Clients(process) as clients:
        until(lambda: len(started(process)) == 4 and not set(serving(process)) & set(before), process)
        asked = clients.answers.total()
        until(lambda: clients.answers.total() > asked + 8, process)
    assert clients.answers.keys() == {"200"}
    assert len(serving(process)) == 2


def test_one_that_is_killed_is_replaced_and_the_figures_are_of_all(process: Process) -> None:
    first, other = serving(process)
    psutil.Process(first).kill()
    with httpx.Client(base_url=process.url, headers={"Authorization": f"Bearer {process.key}"}, timeout=30) as client:
        for _ in range(10):
            assert client.post("/v1/retrieve", json={"query": "سلام"}).status_code == 200
        until(lambda: len(serving(process)) == 2, process)
        assert other in serving(process)
    until(lambda: counted(process) == [10, 10], process)


def counted(process: Process) -> list[int]:
    """How many requests each of some scrapes tells of, which any of the processes may answer."""
    scraped = [httpx.get(f"{process.url}/metrics", timeout=30).text for _ in range(2)]
    return [
        sum(int(float(n)) for n in re.findall(r"^rag_retrieval_total\{.*\} (\S+)$", text, re.M)) for text in scraped
    ]


def test_at_the_end_what_runs_is_finished_and_no_process_is_left(process: Process) -> None:
    held = process.hold()
    time.sleep(0.5)
    process.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert held.finish() == b"HTTP/1.1 200"
    assert process.process.wait(PATIENCE_S) == 0
    assert serving(process) == []
    assert "Traceback" not in process.log.read_text()


def test_what_does_not_start_is_told(new_database: Callable[[], str], tmp_path: Path) -> None:
    broken = tmp_path / "settings.yaml"
    broken.write_text("embedding: {kind: 'no.such:Class'}", "utf-8")
    with pytest.raises(AssertionError, match="a server process does not start"):
        Process(new_database(), tmp_path / "log", "--processes", "2", "--config", str(broken))


def test_one_ends_when_the_process_that_started_it_is_gone(app: RagApp, monkeypatch: pytest.MonkeyPatch) -> None:
    class Parent:
        def is_alive(self) -> bool:
            return not gone.is_set()

    gone, started = threading.Event(), threading.Event()
    monkeypatch.setattr(multiprocessing, "parent_process", Parent)
    monkeypatch.setattr(running, "_IDLE_S", 0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        serving = threading.Thread(target=running.serve_beside_others, args=(app, listening, started.set))
        serving.start()
        assert started.wait(20)
        with socket.create_connection(address) as unused:  # on which nothing is ever asked
            assert httpx.get(f"http://127.0.0.1:{address[1]}/healthz", timeout=20).status_code == 200
            gone.set()
            serving.join(20)
            assert not serving.is_alive()
            assert unused.recv(1) == b""
