"""Servers that Debian has and tests run for real; where one is missing its tests are skipped, or fail in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def needed(command: str) -> str:
    """Return the path of a command; without it the test is skipped, or fails in `.ci/run`."""
    found = shutil.which(command)
    if found is None:
        missing = f"{command} is not installed (Debian: apt-get install prometheus redis-server)"
        pytest.fail(missing) if os.environ.get("REQUIRE_SERVERS") == "1" else pytest.skip(missing)
    return found


@contextmanager
def redis_server(folder: Path, *arguments: str) -> Iterator[str]:
    """Run a Redis server on a socket in `folder`, and give its URL."""
    socket = folder / "redis.sock"
    command = [needed("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < until:
            time.sleep(0.01)
        yield f"unix://{socket}"
    finally:
        server.terminate()
        server.wait(10)
