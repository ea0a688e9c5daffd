"""What every answer carries, and the line that is logged of every request."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag_app.logs import REQUEST_ID, get_logger, key_values
from rag_app.server.errors import error_response, told
from rag_app.server.guard import GUARDED

logger = get_logger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SECURITY = {
    # Scripts and styles are files of ours: what a document or a question holds never runs.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_QUIET = ("/healthz", "/readyz", "/metrics")


class Envelope:
    """ASGI middleware, the outermost: request id, security headers, log line, and an answer where code is wrong.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and tell how it went; the request's id is also in the lines that the pipelines log meanwhile."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith(GUARDED) else "no-cache")
                headers.update(_SECURITY)
            await send(message)

        named = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, enveloped)
        except Exception as error:  # noqa: BLE001 - a caller gets an answer, whatever is wrong with our code
            failure = error_response(told(error))
            if status == 0:  # else the answer has begun, and just ends
                await failure(scope, receive, enveloped)
        finally:
            REQUEST_ID.reset(named)
            _log(scope, request_id, status, time.perf_counter() - started)


def _log(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    """Write one line without a word of the customer's: the route, not the path, which may name a document."""
    level = logging.DEBUG if scope["path"] in _QUIET else logging.INFO
    if not logger.isEnabledFor(level):
        return
    key = scope["state"].get("key")
    fields: dict[str, object] = {
        "request": request_id,
        "method": scope["method"],
        "route": getattr(scope.get("route"), "path", None) or "none",
        "status": status or "gone",
        "ms": seconds * 1000,
        "tenant": key and key.tenant,
        "key": key and key.id,
    }
    logger.log(level, "Request %s", key_values(fields))
