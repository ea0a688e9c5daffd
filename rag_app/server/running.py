"""A process that serves until it is told to stop, and then lets what runs come to its end."""

from __future__ import annotations

import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from rag_app.app import RagApp
from rag_app.server.application import create_server
from rag_app.server.services import services_of

_CLOSE_S = 1  # for connections, once no request runs any more or its time is over


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
        self._gate.draining = True
        self._until = time.monotonic() + self._drain_s

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to end."""
        if self._until is not None and (not self._gate.busy or time.monotonic() >= self._until):
            self.should_exit = True
        return await super().on_tick(counter)


def serve(app: RagApp) -> None:
    """Serve an application, where its settings say, until SIGTERM or SIGINT."""
    options = app.settings.server
    server = create_server(app)
    config = uvicorn.Config(
        server,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,  # it would write paths, which may name documents
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_CLOSE_S,
    )
    DrainingServer(config, server, options.drain_s).run()
