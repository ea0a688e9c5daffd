"""The server, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

import rag_app
from rag_app.app import RagApp
from rag_app.server import chat, completions, documents, retrieve, uploads, whoami
from rag_app.server.envelope import REQUEST_ID_HEADER, Envelope
from rag_app.server.errors import install_handlers
from rag_app.server.guard import Guard
from rag_app.server.health import DatabaseCheck, health_router
from rag_app.server.page import install_page
from rag_app.server.services import Services

_ROUTERS = (retrieve.router, chat.router, completions.router, uploads.router, documents.router, whoami.router)


class _Server(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the document without what FastAPI adds by itself: wrong requests are answered by 400 here."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(name, None)
        return super().openapi()


@asynccontextmanager
async def _following_keys(services: Services, _: FastAPI) -> AsyncIterator[None]:
    following = asyncio.create_task(services.keys.follow())
    yield
    following.cancel()


def create_server(app: RagApp) -> FastAPI:
    """Return the HTTP API and the page over an application, as an ASGI application.

    Args:
        app: what answers; it is not closed with the server. `app.settings.server` has the limits.

    Raises:
        ConfigurationError: the LLM that is to answer can not be opened.
    """
    _ = app.chat  # its LLM opens now, and not with the first question
    services = Services.of(app)
    server = _Server(
        title="rag_app",
        version=rag_app.__version__,
        summary="Persian-first retrieval and answers over a tenant's documents",
        docs_url=None,  # they would load scripts from another server
        redoc_url=None,
        redirect_slashes=False,
        lifespan=partial(_following_keys, services),
    )
    server.state.services = services
    install_handlers(server)
    for router in _ROUTERS:
        server.include_router(router)
    server.include_router(health_router(DatabaseCheck(app)))
    install_page(server)
    # The last that is added is the outermost.
    server.add_middleware(Guard, services=services)
    if app.settings.server.cors_origins:
        server.add_middleware(
            CORSMiddleware,
            allow_origins=app.settings.server.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", REQUEST_ID_HEADER],
            expose_headers=[REQUEST_ID_HEADER, "Retry-After"],
        )
    server.add_middleware(Envelope)
    return server
