"""Several processes that serve one port: one that ends is replaced, and on SIGHUP all are, one after the other.

Where a new one does not start, as while the database is away, the old ones go on and it is tried again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from tempfile import TemporaryDirectory
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead

from rag_app.app import RagApp
from rag_app.config.sections import ServerSettings
from rag_app.errors import ComponentError, RagAppError
from rag_app.logs import get_logger
from rag_app.server.running import serve_beside_others

logger = get_logger(__name__)

Opened = Callable[[], AbstractContextManager[RagApp]]
_TICK_S = 0.2
_PAUSE_S = 1.0  # between two starts, so that a process that always ends does not take all of the processors
_LONGEST_PAUSE_S = 30.0  # as it is doubled with each one that does not come to serve
_KILL_S = 10.0  # after the time that requests have
_MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"


def serve_processes(opened: Opened, options: ServerSettings) -> None:
    """Serve by `options.processes` processes until SIGTERM or SIGINT.

    They share one listening socket: what arrives while one of them ends or starts is taken by another.

    Args:
        opened: opens the application in each process; it must be picklable.
        options: where to listen, and how long requests have when a process stops.

    Raises:
        ComponentError: a process does not start, or the port can not be taken.
    """
    with _bound(options.host, options.port) as listening, _shared_figures():
        host, port = listening.getsockname()[:2]
        url = f"http://[{host}]:{port}" if listening.family == socket.AF_INET6 else f"http://{host}:{port}"
        _Supervisor(partial(_work, opened, listening), options, url).run()


class _Child:
    """A process that serves.

    Attributes:
        ready: whether it takes requests.
        outdated: whether it is to be replaced.
        leaving: whether it was told to end.
    """

    def __init__(self, work: Callable[[Connection], None]) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would keep this process's code, and its threads' locks
        self._news, tell = spawn.Pipe(duplex=False)
        self.process = spawn.Process(target=work, args=(tell,))
        self.process.start()
        tell.close()
        self.ready = self.outdated = self.leaving = False

    @property
    def signs(self) -> tuple[Connection | int, ...]:
        """What can be waited on for it to become ready or to end."""
        return (self.process.sentinel,) if self.ready else (self.process.sentinel, self._news)

    def look(self) -> None:
        """Find out whether it is ready by now."""
        with suppress(EOFError):  # it ended
            self.ready = self.ready or (self._news.poll() and bool(self._news.recv()))

    def leave(self) -> None:
        """Have it end when it has answered."""
        self.leaving = True
        self.process.terminate()


class _Supervisor:
    """Keeps so many processes serving.

    Args:
        work: what a process does; it is given where to tell that it is ready.
        options: how many, and how long each may take to end.
        url: where they serve.
    """

    def __init__(self, work: Callable[[Connection], None], options: ServerSettings, url: str) -> None:
        self._work = work
        self._count = options.processes
        self._stop_s = options.drain_s + _KILL_S
        self._url = url
        self._children: list[_Child] = []
        self._served = False
        self._stopping = self._renew = False
        self._next_start = 0.0
        self._failed_starts = 0

    def run(self) -> None:
        """Serve until a signal.

        Raises:
            ComponentError: a process ended before any had served.
        """
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._renew_all}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            while not self._stopping:
                self._look()
                self._replace()
                wait([sign for child in self._children for sign in child.signs], _TICK_S)
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True

    def _renew_all(self, _: int, __: FrameType | None) -> None:
        self._renew = True

    def _look(self) -> None:
        """Note which processes are ready and which have ended."""
        for child in self._children:
            child.look()
        for child in [child for child in self._children if not child.process.is_alive()]:
            self._children.remove(child)
            mark_process_dead(child.process.pid)  # type: ignore[no-untyped-call]
            if child.leaving:
                continue
            if not child.ready and not self._served:
                raise ComponentError(f"a server process does not start: it ended with {child.process.exitcode}")
            logger.warning("a server process ended with %s", child.process.exitcode)
            self._failed_starts = 0 if child.ready else self._failed_starts + 1
            self._next_start = time.monotonic() + min(_PAUSE_S * 2**self._failed_starts, _LONGEST_PAUSE_S)
        if not self._served and len(self._children) == sum(child.ready for child in self._children) == self._count:
            self._served = True
            logger.info("%d processes running on %s", self._count, self._url)

    def _replace(self) -> None:
        """Start what is missing, and while all are replaced one more, whose place the oldest then leaves."""
        if self._renew:
            self._renew = False
            for child in self._children:
                child.outdated = True
        staying = [child for child in self._children if not child.leaving]
        outdated = [child for child in staying if child.outdated]
        if outdated and sum(child.ready for child in staying) > self._count:
            outdated[0].leave()
        elif len(staying) < self._count + bool(outdated) and self._may_start():
            self._next_start = time.monotonic() + _PAUSE_S
            self._children.append(_Child(self._work))

    def _may_start(self) -> bool:
        """Tell whether to start a process now: the first all at once, later ones one at a time and not in a hurry."""
        if not self._served:
            return True
        starting = any(not child.ready or child.leaving for child in self._children)
        return not starting and time.monotonic() >= self._next_start

    def _end(self) -> None:
        for child in self._children:
            if not child.leaving:
                child.leave()
        until = time.monotonic() + self._stop_s
        for child in self._children:
            child.process.join(max(0.0, until - time.monotonic()))
            if child.process.is_alive():
                child.process.kill()
                child.process.join()


def _work(opened: Opened, listening: socket.socket, ready: Connection) -> None:
    """Serve in a process of its own."""
    os.setsid()  # Ctrl+C is for the process that started this one, which tells it by SIGTERM
    try:
        with opened() as app:
            app.warm_up()
            serve_beside_others(app, listening, partial(ready.send, True))
    except RagAppError as error:
        sys.exit(str(error))


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port; the processes listen on it when they are ready."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, kind) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            raise ComponentError(f"{host}:{port} can not be served: {error.strerror}") from error
        yield listening


@contextmanager
def _shared_figures() -> Iterator[None]:
    """Have each process's `/metrics` tell the figures of all, in a folder of the block unless one is set."""
    if _MULTIPROC_DIR in os.environ:
        yield
        return
    with TemporaryDirectory(prefix="rag_app-metrics-") as folder:
        os.environ[_MULTIPROC_DIR] = folder
        try:
            yield
        finally:
            del os.environ[_MULTIPROC_DIR]
