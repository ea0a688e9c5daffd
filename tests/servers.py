"""Servers that Debian has and tests run for real; where one is missing its tests are skipped, or fail in CI."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_POSTGRES_15 = "/usr/lib/postgresql/15/bin"  # Debian keeps it out of the PATH


def needed(command: str) -> str:
    """Return the path of a command; without it the test is skipped, or fails in `.ci/run`."""
    found = shutil.which(command)
    if found is None:
        packages = "prometheus redis-server postgresql-15 chromium fonts-noto-core"
        missing = f"{command} is not installed (Debian: apt-get install {packages})"
        pytest.fail(missing) if os.environ.get("REQUIRE_SERVERS") == "1" else pytest.skip(missing)
    return found


@contextmanager
def redis_server(folder: Path, *arguments: str) -> Iterator[str]:
    """Run a Redis server on a socket in `folder`, and give its URL."""
    socket = folder / "redis.sock"
    command = [needed("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not socket.exists() and time.monotonic() < until:
            time.sleep(0.01)
        yield f"unix://{socket}"
    finally:
        server.terminate()
        server.wait(60)


@contextmanager
def postgres_15() -> Iterator[str]:
    """Run Debian's PostgreSQL 15, which has no pgvector, on a socket in a folder of its own, and give its URL."""
    initdb = [needed(f"{_POSTGRES_15}/initdb"), "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8"]
    with TemporaryDirectory(prefix="postgres-15-") as folder:
        data = f"{folder}/data"
        serve = [f"{_POSTGRES_15}/postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"]
        user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        if user is not None:
            shutil.chown(folder, user)
        subprocess.run([*initdb, data], cwd=folder, user=user, stdout=subprocess.DEVNULL, check=True)
        server = subprocess.Popen(serve, cwd=folder, user=user, stderr=subprocess.DEVNULL)
        try:
            ready = [f"{_POSTGRES_15}/pg_isready", "--quiet", "--host", folder]
            until = time.monotonic() + 60
            while subprocess.run(ready, check=False).returncode != 0 and time.monotonic() < until:
                time.sleep(0.05)
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # ends it without waiting for its clients
            server.wait(30)
