"""A real server in a thread, with keys of two tenants."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from rag_app import RagApp
from rag_app.server import create_server
from rag_app.server.services import Services, services_of
from rag_app.storage import KeyStore


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: where.
        app: the application behind it.
        services: what its endpoints share.
    """

    url: str
    app: RagApp
    services: Services

    def key(self, tenant: str) -> str:
        """Make a key."""
        return KeyStore(self.app.database).create(tenant)[1]

    @contextmanager
    def client(self, tenant: str | None = None) -> Iterator[httpx.Client]:
        """A client with a key of a tenant, or with none."""
        headers = {} if tenant is None else {"Authorization": f"Bearer {self.key(tenant)}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as client:
            yield client


@contextmanager
def running(app: RagApp) -> Iterator[Running]:
    """Serve an application for the block."""
    made = create_server(app)
    config = uvicorn.Config(
        made, port=0, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 60
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(f"http://127.0.0.1:{port}", app, services_of(made.state))
    finally:
        server.should_exit = True
        thread.join(10)
