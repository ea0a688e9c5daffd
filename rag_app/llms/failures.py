"""Why a service gave no answer, in the reasons of `LLMError`; messages hold nothing that was sent or answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rag_app.errors import LLMError

_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s?")


def failure_of_response(status: int, headers: Mapping[str, str], body: Any = None) -> LLMError:
    """Return the failure that an HTTP response tells of.

    Args:
        status: its code.
        headers: its headers.
        body: its JSON, if it is any.
    """
    words = set(_words(body))
    if status in (401, 403) or "API_KEY_INVALID" in words:  # Gemini tells so with status 400
        return LLMError(f"the LLM refused the API key (HTTP {status})", "refused key")
    if status == 400 and "content_filter" in words:
        return blocked("content_filter")
    if status == 429:
        return LLMError("the LLM's quota is used up (HTTP 429)", "quota", _retry_after(headers, body))
    if status in (408, 504):
        return LLMError(f"the LLM took too long (HTTP {status})", "time-out")
    if 400 <= status < 500:
        return LLMError(f"the LLM refused the request (HTTP {status}); is the model's name right?", "bad request")
    return LLMError(f"the LLM could not serve (HTTP {status})", "unavailable", _retry_after(headers, body))


def blocked(by: str) -> LLMError:
    """Return the failure of an answer that a safety filter kept back; `by` is the service's word for it."""
    return LLMError(f"the LLM's safety filters kept back the answer ({by})", "blocked")


def cut_off(why: str) -> LLMError:
    """Return the failure of an answer that ended early."""
    return LLMError(f"the LLM's answer ended early: {why}", "cut off")


def empty_answer() -> LLMError:
    """Return the failure of an answer without a word."""
    return LLMError("the LLM gave an answer without text", "empty answer")


def time_out() -> LLMError:
    """Return the failure of a request that took too long."""
    return LLMError("the LLM took too long", "time-out")


def unreachable(error: BaseException) -> LLMError:
    """Return the failure of a request that an error of the network or the client ended."""
    return LLMError(f"the LLM can not be reached ({type(error).__name__})", "unavailable")


def _error(body: Any) -> Mapping[str, Any]:
    """Return the error within a body of Google's or OpenAI's shape; nothing if there is none."""
    if isinstance(body, list):
        body = body[0] if body else None
    error = body.get("error", body) if isinstance(body, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _details(body: Any) -> list[Mapping[str, Any]]:
    details = _error(body).get("details")
    return [entry for entry in details if isinstance(entry, Mapping)] if isinstance(details, list) else []


def _words(body: Any) -> Iterator[str]:
    """Yield the fixed words by which a body says what went wrong."""
    for word in (_error(body).get("code"), *(entry.get("reason") for entry in _details(body))):
        if isinstance(word, str):
            yield word


def _retry_after(headers: Mapping[str, str], body: Any) -> float | None:
    """Return the seconds after which the service said to ask again, if it did.

    It says so by `Retry-After`, of which a date does not count, or in Google's `{"retryDelay": "3s"}`.
    """
    said = [value for name, value in headers.items() if name.lower() == "retry-after"]
    said += [entry["retryDelay"] for entry in _details(body) if isinstance(entry.get("retryDelay"), str)]
    return max((float(match[1]) for text in said if (match := _SECONDS.fullmatch(text.strip()))), default=None)
