"""`rag-app serve` as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from rag_app.server import serve
from tests.server.process import ROOT, Process


@pytest.fixture
def process(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Process]:
    started = Process(new_database(), tmp_path / "log")
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.wait(60)


def test_what_runs_ends_and_nothing_new_begins_once_the_server_is_to_stop(process: Process) -> None:
    with httpx.Client(base_url=process.url, timeout=20) as client:
        assert client.get("/readyz").status_code == 200
        held = process.hold()
        assert client.get("/healthz").status_code == 200
        time.sleep(0.2)
        process.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 20
        while (ready := client.get("/readyz").status_code) == 200 and time.monotonic() < until:
            time.sleep(0.01)
        assert ready == 503
        refused = client.get("/v1/models", headers={"Authorization": f"Bearer {process.key}"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
        assert held.finish() == b"HTTP/1.1 200"
    assert process.process.wait(30) == 0
    log = process.log.read_text()
    assert len(re.findall(r"(?:ProductionRAG|Request) request=held-1", log)) == 2
    assert "secret-words" not in log
    assert process.key not in log
    assert "Traceback" not in log


def test_what_does_not_end_in_time_is_ended(new_database: Callable[[], str], tmp_path: Path) -> None:
    slow = Process(new_database(), tmp_path / "log", drain_s=1)
    held = slow.hold()
    time.sleep(0.5)
    started = time.monotonic()
    slow.process.send_signal(signal.SIGTERM)
    assert slow.process.wait(30) == 0
    assert time.monotonic() - started > 0.9
    assert held.answer() in (b"", b"HTTP/1.1 500")


def test_an_idle_server_does_not_wait(new_database: Callable[[], str], tmp_path: Path) -> None:
    idle = Process(new_database(), tmp_path / "log", drain_s=600).process
    idle.send_signal(signal.SIGINT)
    assert idle.wait(30) == 0


def test_without_its_packages_the_server_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from rag_app.errors import ConfigurationError\n"
        "try:\n    import rag_app.server\nexcept ConfigurationError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "the server needs fastapi: pip install 'rag-app[server]'\n"
    assert callable(serve)


def test_it_answers_by_the_llm_of_the_settings(new_database: Callable[[], str], tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("llm: {kind: openai_like, model: m, api_base: 'http://127.0.0.1:1/v1', api_key: k}", "utf-8")
    started = Process(new_database(), tmp_path / "log", "--config", str(config))
    try:
        who = httpx.get(f"{started.url}/v1/whoami", headers={"Authorization": f"Bearer {started.key}"}, timeout=20)
        assert who.json()["llm"] == "openai_like"
    finally:
        started.process.terminate()
        assert started.process.wait(30) == 0
