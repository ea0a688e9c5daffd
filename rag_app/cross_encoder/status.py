"""What an engine is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["not loaded", "loading", "ready", "failed"]


@dataclass(frozen=True)
class Status:
    """What can be told of a model.

    Attributes:
        error: why the last load or the last scoring failed, with what to do about it.
        seconds_to_retry: how long it will not be tried again.
    """

    model: str
    state: State
    precision: str | None = None
    device: str | None = None
    why: str | None = None
    folder: str | None = None
    megabytes: float = 0.0
    load_seconds: float = 0.0
    error: str | None = None
    seconds_to_retry: float = 0.0


@dataclass(frozen=True)
class EngineOptions:
    """Times and sizes of an engine.

    Attributes:
        load_timeout_s: how long a load may take.
        retry_after_s: how long a failed model is not tried again; doubled by each failure in a row.
        cache_size: how many scores are remembered, the latest used ones.
    """

    load_timeout_s: float = 120.0
    retry_after_s: float = 30.0
    cache_size: int = 10_000


DEFAULT_OPTIONS = EngineOptions()
