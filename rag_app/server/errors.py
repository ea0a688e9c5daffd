"""Every failure in the shape that OpenAI's clients know: `{"error": {"message", "type", "code", "param"}}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from rag_app.errors import InvalidInputError, RagAppError, kind_of
from rag_app.logs import get_logger

logger = get_logger(__name__)

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_BODY_LEFT = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT)  # the rest is not waited for


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    code: str
    param: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorDetail


class ApiError(HTTPException):
    """A failure that the caller is told of.

    Args:
        status: the HTTP status.
        message: what went wrong, in a sentence without anything internal.
        code: the kind of failure in a fixed word.
        param: the field of the request that is to blame, if one is.
        retry_after_s: when to try again.
    """

    def __init__(
        self, status: int, message: str, code: str, *, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        headers = {} if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if status in _BODY_LEFT:
            headers["Connection"] = "close"
        super().__init__(status, message, headers)
        self.code = code
        self.param = param

    def as_dict(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return error_body(self.status_code, self.detail, self.code, self.param)


def error_body(status: int, message: str, code: str, param: str | None = None) -> dict[str, Any]:
    """Return the body of an answer that tells of a failure."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": _writable(message), "type": kind, "code": code, "param": param and _writable(param)}}


def error_response(error: ApiError) -> JSONResponse:
    """Return the answer that tells of a failure."""
    return JSONResponse(error.as_dict(), error.status_code, error.headers)


def told(error: Exception) -> ApiError:
    """Return what a caller may know of any failure; what they may not is logged, without a customer's words."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, InvalidInputError):
        return ApiError(400, str(error), "invalid_value")
    if isinstance(error, RagAppError):
        logger.error("a request failed: %s", kind_of(error))
        return ApiError(503, "the service can not answer at the moment", "unavailable", retry_after_s=2)
    logger.error("a request failed: %s at %s", kind_of(error), _place(error))
    return ApiError(500, "an internal error", "internal_error")


def install_handlers(server: FastAPI) -> None:
    """Have every failure of an endpoint answered in that shape."""
    server.add_exception_handler(RequestValidationError, _invalid)
    server.add_exception_handler(StarletteHTTPException, _http)
    server.add_exception_handler(RagAppError, _raised)


async def _raised(_: Request, error: Exception) -> JSONResponse:
    return error_response(told(error))


async def _http(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ApiError):
        return error_response(error)
    if not isinstance(error, StarletteHTTPException):
        raise error
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return JSONResponse(error_body(error.status_code, str(error.detail), code), error.status_code, error.headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that does not fit the endpoint; its values are not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    first: Mapping[str, Any] = error.errors()[0]
    place, *path = (str(part) for part in first["loc"])
    name = ".".join(path) or place
    return error_response(ApiError(400, f"{name}: {first['msg']}", str(first["type"]), param=name))


def _writable(text: str) -> str:
    """Return a text that can be sent: what a caller named may hold halves of characters."""
    return text.encode("utf-8", "backslashreplace").decode()


def _place(error: Exception) -> str:
    """Return where an error was raised; its message may hold a customer's words."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return "unknown" if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
