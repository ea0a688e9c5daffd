"""Clients that ask without a pause, for a minute: errors, latency, and the memory of the server.

A real `rag-app serve` in a process of its own, with default settings but for the rate of a key, over the sample
knowledge base of several tenants. The clients ask for context and for answers, list documents and store some, and come
again when they are told to. They run beside the server, on the same processors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil

from rag_app import RagApp
from rag_app.storage import KeyStore

INSTITUTE = Path(__file__).parents[2] / "examples" / "institute"
MAIN = "from rag_app.cli import main; main()"
MIX = {"retrieve": 60, "chat": 25, "list": 10, "store": 5}  # parts of 100
TENANTS = 4
START_S = 120
SAMPLE_S = 1.0
TOO_MANY = 429


@dataclass
class Figures:
    """What the clients saw.

    Attributes:
        ms: how long each answered request took, by kind.
        degraded: how many answers lack a part of the pipeline, as one whose time was over.
        refused: how many were told to come again.
        errors: how many went wrong in any other way, by what.
        megabytes: the server's resident memory, each second.
        cpu_s: the time on processors that the server used, without PostgreSQL's.
    """

    ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    degraded: int = 0
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    megabytes: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int, list[str]]]:
    """Run a server over the sample; gives its URL, its process and a key of each tenant."""
    with RagApp.from_config(data_dir=folder) as app:
        keys = []
        for number in range(TENANTS):
            app.ingest(INSTITUTE / "documents", tenant=f"tenant-{number}")
            keys.append(KeyStore(app.database).create(f"tenant-{number}")[1])
        environment = {**os.environ, "RAG_APP_SERVER__REQUESTS_PER_MINUTE": "1000000"}
        command = [sys.executable, "-c", MAIN, "serve", "--port", "0", "--data-dir", str(folder)]
        log = folder / "serve.log"
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stderr=stderr, env=environment)  # noqa: S603 - our own command
        try:
            yield _url(process, log), process.pid, keys
        finally:
            process.send_signal(signal.SIGTERM)
            print(f"the server ended with status {process.wait(60)}")


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"running on (http://\S+)", log.read_text("utf-8")):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text('utf-8')}")


async def ask(client: httpx.AsyncClient, kind: str, question: str, number: int) -> httpx.Response:
    """Send one request and wait for all of its answer."""
    if kind == "retrieve":
        return await client.post("/v1/retrieve", json={"query": question})
    if kind == "chat":
        return await client.post("/v1/chat", json={"question": question})
    if kind == "list":
        return await client.get("/v1/documents", params={"limit": 50})
    document = {"id": f"load-{number % 200}", "title": question, "text": f"{question} {number}", "source": "load"}
    return await client.post("/v1/documents", json={"documents": [document]})


async def ask_until(client: httpx.AsyncClient, seed: int, questions: Sequence[str], until: float, to: Figures) -> None:
    """Ask one thing after the other."""
    chosen = random.Random(seed)  # noqa: S311 - no secret
    while time.monotonic() < until:
        kind = chosen.choices(list(MIX), list(MIX.values()))[0]
        started = time.perf_counter()
        try:
            answer = await ask(client, kind, chosen.choice(questions), chosen.randrange(10**6))
        except httpx.HTTPError as error:
            to.errors[type(error).__name__] += 1
            continue
        if answer.status_code == TOO_MANY:
            to.refused += 1
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        elif answer.status_code >= 400:
            to.errors[f"{answer.status_code} {kind}"] += 1
        elif kind == "chat" and "event: done" not in answer.text:
            to.errors["chat without an end"] += 1
        else:
            to.ms[kind].append((time.perf_counter() - started) * 1000)
            to.degraded += '"degraded":true' in answer.text.replace(" ", "")


async def watch(pid: int, until: float, to: Figures) -> None:
    """Note the memory each second, and what was used of the processors."""
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    while time.monotonic() < until:
        to.megabytes.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(SAMPLE_S)
    to.cpu_s = sum(process.cpu_times()[:2]) - before


async def load(url: str, pid: int, keys: Sequence[str], clients: int, seconds: float) -> Figures:
    """Have so many clients ask for so long."""
    lines = (INSTITUTE / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["text"] for line in lines]
    figures = Figures()
    opened = [
        httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {keys[number % len(keys)]}"}, timeout=60, trust_env=False
        )
        for number in range(clients)
    ]
    try:
        await asyncio.gather(*(ask(client, "retrieve", questions[0], 0) for client in opened))  # not timed
        until = time.monotonic() + seconds
        await asyncio.gather(
            watch(pid, until, figures),
            *(ask_until(client, seed, questions, until, figures) for seed, client in enumerate(opened)),
        )
    finally:
        for client in opened:
            await client.aclose()
    return figures


def table(figures: Figures, seconds: float) -> str:
    """Return the figures as a table."""
    every = [ms for of_kind in figures.ms.values() for ms in of_kind]
    lines = [f"{'':<10}{'answered':>9}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'max ms':>9}"]
    for name, of_kind in [*((kind, figures.ms[kind]) for kind in MIX), ("all", every)]:
        times = sorted(of_kind)
        shown = "".join(f"{_quantile(times, part):>9.0f}" for part in (0.5, 0.95, 0.99, 1.0)) if times else ""
        lines.append(f"{name:<10}{len(times):>9}{shown}")
    memory = figures.megabytes
    fifth = max(1, len(memory) // 5)
    first, last = (sum(part) / len(part) for part in (memory[:fifth], memory[-fifth:]))
    lines += [
        f"{len(every) / seconds:.0f} answered a second; {figures.degraded} of them degraded; "
        f"{figures.refused} told to come again (429)",
        f"{figures.cpu_s / max(1, len(every)) * 1000:.0f} ms of a processor for each",
        f"errors: {dict(figures.errors) or 'none'}",
        f"memory of the server: {first:.0f} MB in the first fifth of the time, {last:.0f} in the last, "
        f"{max(memory):.0f} at most",
    ]
    return "\n".join(lines)


def _quantile(times: Sequence[float], part: float) -> float:
    return times[min(len(times) - 1, int(len(times) * part))]


def main() -> None:
    """Measure, and exit with 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", type=Path, help="a file to write the figures into")
    given = parser.parse_args()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, served(Path(folder)) as (url, pid, keys):
        figures = asyncio.run(load(url, pid, keys, given.clients, given.seconds))
    print(table(figures, given.seconds))
    if given.json is not None:
        every: dict[str, Any] = {**vars(figures)}
        given.json.write_text(json.dumps(every), "utf-8")
    sys.exit(1 if figures.errors else 0)


if __name__ == "__main__":
    main()
