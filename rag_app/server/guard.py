"""What happens to a request to `/v1/` before its body is read: key, rate, a place among those that run, size."""

from __future__ import annotations

import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rag_app.errors import RagAppError
from rag_app.server.auth import authenticated
from rag_app.server.errors import ApiError, error_response, told
from rag_app.server.limits import limited
from rag_app.server.services import Services

GUARDED = "/v1/"
_DOCUMENTS = "/v1/documents"
_UPLOAD = "/v1/documents/upload"
_MAX_QUESTION_BYTES = 1_000_000  # a question with its history


class Guard:
    """ASGI middleware that lets through what may and can be answered now.

    Args:
        app: what answers.
        services: the keys and the limits.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._max_document_bytes = int(services.app.settings.server.max_upload_mb * 1e6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the application or by an error."""
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        headers, came_at = Headers(scope=scope), time.monotonic()
        try:
            key = await authenticated(self._services.keys, headers.get("authorization"))
            scope.setdefault("state", {})["key"] = key
            self._services.rates.take(key.id)
            if scope["method"] == "POST":
                _check_format(scope["path"], headers.get("content-type", ""))
            stores = scope["path"].startswith(_DOCUMENTS)
            most = self._max_document_bytes if stores else _MAX_QUESTION_BYTES
            body = limited(receive, headers.get("content-length"), most)
            async with self._services.requests.enter(key.tenant):
                scope["state"]["waited_s"] = time.monotonic() - came_at
                await self._app(scope, body, send)
        except (ApiError, RagAppError) as error:
            await error_response(told(error))(scope, receive, send)


def _check_format(path: str, content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    wanted = "multipart/form-data" if path == _UPLOAD else "application/json"
    if kind != wanted:
        raise ApiError(415, f"the body must be {wanted}", "unsupported_media_type")
