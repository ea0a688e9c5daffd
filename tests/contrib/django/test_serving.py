"""The project serves in processes of its own: by threads, by a loop, and after a fork."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag_app import default_app
from tests.contrib.django.conftest import PROJECT, Project

AT_ONCE = 8


@contextmanager
def serving(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server for the block; it must have printed no error when it ends."""
    with subprocess.Popen(
        project.command(*arguments),
        cwd=PROJECT,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors


def wait_for(socket: Path) -> None:
    until = time.monotonic() + 60
    while not socket.exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def check(answers: list[dict[str, Any]], project: Project) -> None:
    assert len(answers) == AT_ONCE
    assert len({answer["app"] for answer in answers}) == 1  # all at once, and one application was opened
    for answer in answers:
        assert answer["retrieval_method"] == "production_rag", answer["performance"]
        assert "بورسیه" in answer["primary_context"][0]["content"]
        assert {chunk["source"] for chunk in answer["secondary_context"]} == {"faq"}


@pytest.mark.usefixtures("ingested")
def test_threads_serve_the_first_requests_at_once(projects: dict[str, Project]) -> None:
    with serving(projects["sqlite"], "serve_wsgi.py") as process, ThreadPoolExecutor(AT_ONCE) as threads:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/chat/"
        answers = [response.json() for response in threads.map(lambda _: httpx.get(url, timeout=60), range(AT_ONCE))]
    check(answers, projects["sqlite"])
    assert len({answer["thread"] for answer in answers}) == AT_ONCE


@pytest.mark.usefixtures("ingested_by_program")
async def test_a_loop_serves_the_first_requests_at_once_and_stays_free(
    projects: dict[str, Project], tmp_path: Path
) -> None:
    project, socket = projects["postgres"], tmp_path / "s"
    uvicorn = ("-m", "uvicorn", "backend.asgi:application", "--uds", str(socket), "--lifespan", "off")
    with serving(project, *uvicorn, "--log-level", "error"):
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://backend", timeout=60) as client:
            await asyncio.to_thread(wait_for, socket)
            asked = [asyncio.create_task(client.get("/achat/")) for _ in range(AT_ONCE)]
            beats = 0
            while not any(task.done() for task in asked):
                assert (await client.get("/ping/")).text == "pong"
                beats += 1
            answers = [(await task).json() for task in asked]
    check(answers, project)
    assert len({answer["thread"] for answer in answers}) == 1
    assert beats > 5  # while the application was opened


def test_a_forked_worker_opens_its_own_and_changes_are_done_before_the_end(projects: dict[str, Project]) -> None:
    done = projects["sqlite"].run("fork.py")
    assert done.returncode == 0, done.stderr
    titles = {document.title for document in default_app().documents(tenant="1").documents}
    assert {"پارکینگ", "کافه", *(f"خبر {number}" for number in range(5))} <= titles
