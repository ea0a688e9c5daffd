"""Why a service gave no answer, in the reasons of `LLMError`; messages hold nothing that was sent or answered."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from rag_app.errors import LLMError

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s?")


def failure_of_status(status: int, retry_after_s: float | None = None) -> LLMError:
    """Return the failure that an HTTP status tells of."""
    if status == 429:
        return LLMError("the LLM's quota is used up (HTTP 429)", "quota", retry_after_s)
    if status in (401, 403):
        return LLMError(f"the LLM refused the API key (HTTP {status})", "refused key")
    if status in (408, 504):
        return LLMError(f"the LLM took too long (HTTP {status})", "time-out", retry_after_s)
    if 400 <= status < 500:
        return LLMError(f"the LLM refused the request (HTTP {status}); is the model's name right?", "bad request")
    return LLMError(f"the LLM could not serve (HTTP {status})", "unavailable", retry_after_s)


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


def retry_after(headers: Mapping[str, str], body: Any = None) -> float | None:
    """Return the seconds after which the service said to ask again, if it did.

    Args:
        headers: of the response; `Retry-After` in seconds counts, as a date it does not.
        body: the response's JSON, in which Google's APIs put a `RetryInfo` such as `{"retryDelay": "3s"}`.
    """
    if isinstance(body, list):
        body = body[0] if body else None
    error = body.get("error", body) if isinstance(body, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    said = [entry.get("retryDelay") for entry in details or () if isinstance(entry, Mapping)]
    said.append(next((value for name, value in headers.items() if name.lower() == "retry-after"), None))
    matches = (_SECONDS.fullmatch(text.strip()) for text in said if isinstance(text, str))
    return max((seconds for match in matches if match and math.isfinite(seconds := float(match[1]))), default=None)
