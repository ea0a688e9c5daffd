"""`/healthz`, `/readyz` and `/metrics`, for what watches the server; they need no key and tell of no tenant."""

from __future__ import annotations

import asyncio
import time
from typing import LiteralString

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from rag_app.app import RagApp
from rag_app.errors import RagAppError
from rag_app.metrics import CONTENT_TYPE, exposition
from rag_app.server.services import Served

CHECK_S = 1.0  # between two looks at the database, however many ask
_TIMEOUT_S = 0.5  # who watches waits for a second
_ALIVE: LiteralString = "SELECT 1"


class DatabaseCheck:
    """Tells whether the database answers; many who ask at once cost it one query."""

    def __init__(self, app: RagApp) -> None:
        self._app = app
        self._turn = asyncio.Lock()
        self._answers = False
        self._until = 0.0

    async def answers(self) -> bool:
        """Tell whether it answered a moment ago, or does now."""
        async with self._turn:
            if time.monotonic() >= self._until:
                self._answers = await self._asked()
                self._until = time.monotonic() + CHECK_S
            return self._answers

    async def _asked(self) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._app.loop.acall(self._app.database.afetch, "", _ALIVE, {})
        except (RagAppError, TimeoutError):
            return False
        return True


def health_router(check: DatabaseCheck) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process lives")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz",
        summary="Questions are answered",
        description=(
            "Also while the database does not answer, as long as anybody's key is known here: the answers say so, and "
            "are better than none. The status is `degraded` then."
        ),
        responses={503: {"description": "They are not, now."}},
    )
    async def readyz(served: Served) -> JSONResponse:
        if served.requests.draining:
            return JSONResponse({"status": "stopping"}, 503)
        if await check.answers():
            return JSONResponse({"status": "ok"})
        if not served.keys.holds_any:
            return JSONResponse({"status": "the database does not answer, and no key is known"}, 503)
        return JSONResponse({"status": "degraded", "degraded": ["the database does not answer"]})

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    def metrics() -> Response:
        return Response(exposition(), media_type=CONTENT_TYPE)

    return router
