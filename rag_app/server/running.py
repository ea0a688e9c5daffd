"""A process that serves until it is told to stop, and then lets what runs come to its end."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from rag_app.app import RagApp
from rag_app.server.accepting import SharedListener
from rag_app.server.application import create_server
from rag_app.server.services import services_of

_CLOSE_S = 1  # for connections, once no request runs any more or its time is over
_IDLE_S = 5  # after which a connection that nobody uses is closed, as uvicorn does by default


class DrainingServer(uvicorn.Server):
    """A server that a signal stops in two steps: first it takes no more requests, then it ends.

    In between, `/readyz` answers 503, so that nobody is sent here any more; a second signal ends it at once.

    Args:
        config: how uvicorn runs.
        drain_s: how long requests that run have.
    """

    def __init__(self, config: uvicorn.Config, server: FastAPI, drain_s: float) -> None:
        super().__init__(config)
        self._gate = services_of(server.state).requests
        self._drain_s = drain_s
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; uvicorn's own would close the port at once and end the process by the signal."""
        if self._until is not None:
            self.should_exit = self.force_exit = True
        self._until = time.monotonic() + self._drain_s
        self.begin_to_stop()

    def begin_to_stop(self) -> None:
        """Let no further request in."""
        self._gate.draining = True

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to end."""
        if self._until is not None and (self.drained() or time.monotonic() >= self._until):
            self.should_exit = True
        return await super().on_tick(counter)

    def drained(self) -> bool:
        """Tell whether nothing runs any more."""
        return not self._gate.busy


class LeavingServer(DrainingServer):
    """One of several on a port: it stops by leaving new connections to the others, and refuses nobody.

    A client that holds a connection is answered and told to open another, so none finds a connection closed that it
    uses. It also stops when the process that started it is gone.

    Args:
        config: how uvicorn runs.
        drain_s: how long all of that may take.
        started: is told when requests are taken.
    """

    def __init__(self, config: uvicorn.Config, server: FastAPI, drain_s: float, started: Callable[[], object]) -> None:
        super().__init__(config, server, drain_s)
        self._tell_started = started
        self._unused_until: float | None = None
        self._listeners: list[SharedListener] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests, and tell so."""
        await super().startup(sockets=[])
        make: Any = self.config.http_protocol_class  # declared as if it took no arguments
        state, backlog = self.server_state, self.config.backlog
        protocol = partial(make, config=self.config, server_state=state, app_state=self.lifespan.state)
        self._listeners = [SharedListener(each, state.connections, protocol, backlog) for each in sockets or ()]
        self._tell_started()

    def begin_to_stop(self) -> None:
        """Have `on_tick` do so: here, in the handler of a signal, the loop must not be touched."""

    async def on_tick(self, counter: int) -> bool:
        """Leave the port in the first moment after the signal."""
        parent = multiprocessing.parent_process()
        if self._until is None and parent is not None and not parent.is_alive():
            self._until = time.monotonic() + self._drain_s
        if self._until is not None and self._unused_until is None:
            self._unused_until = time.monotonic() + _IDLE_S + 1
            for listener in self._listeners:
                listener.close()  # in this process; what waits to be accepted, the others accept
            self.config.encoded_headers.append((b"connection", b"close"))
            self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        return await super().on_tick(counter)

    def drained(self) -> bool:
        """Tell whether every connection is closed, but for those on which nothing was ever asked."""
        unused_for_long = self._unused_until is not None and time.monotonic() >= self._unused_until
        return super().drained() and (not self.server_state.connections or unused_for_long)


def serve(app: RagApp) -> None:
    """Serve an application, where its settings say, until SIGTERM or SIGINT."""
    server = create_server(app)
    config = _config(app, server)
    DrainingServer(config, server, app.settings.server.drain_s).run()


def serve_beside_others(app: RagApp, listening: socket.socket, started: Callable[[], object]) -> None:
    """Serve an application on a socket that other processes serve too, until SIGTERM; tells when it has started."""
    server = create_server(app)
    LeavingServer(_config(app, server), server, app.settings.server.drain_s, started).run([listening])


def _config(app: RagApp, server: FastAPI) -> uvicorn.Config:
    options = app.settings.server
    return uvicorn.Config(
        server,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,  # it would write paths, which may name documents
        server_header=False,
        lifespan="on",
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_CLOSE_S,
    )
