"""What every kind of LLM is opened with."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LLMOptions:
    """Which model of which service, and what an answer may cost.

    Attributes:
        model: its name at the service.
        api_key: the service's key; for Gemini `GOOGLE_API_KEY` or `GEMINI_API_KEY` of the environment stands in for it.
        api_base: the URL of the service, if it is not the kind's own.
        timeout_s: the most seconds of one request.
        max_tokens: the most tokens of an answer.
        temperature: 0 for the likeliest words, up to 2 for less likely ones.
    """

    model: str = "gemini-2.5-flash"
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    timeout_s: float = 30.0
    max_tokens: int = 1024
    temperature: float = 0.2
