"""What a backend of the flags does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class StoredFlag:
    """A flag as it was set.

    Attributes:
        remaining_s: for how many seconds it holds, by the clock of the backend; 0 or less when that is over, None for
            ever.
        changed_at: when, in ISO 8601.
    """

    value: Any
    remaining_s: float | None
    changed_by: str
    changed_at: str


@dataclass(frozen=True)
class FlagChange:
    """One entry of the history; times in ISO 8601."""

    name: str
    action: Literal["set", "unset"]
    old: Any
    new: Any
    expires_at: str | None
    changed_by: str
    changed_at: str


class FlagStore(Protocol):
    """Keeps flags and their history; a flag whose time is over stays until it is set or unset.

    Every method blocks, and raises a StorageError when the backend does not answer.
    """

    def load(self) -> dict[str, StoredFlag]:
        """Return every flag that was set, by name."""
        ...

    def set(self, name: str, value: Any, ttl: float | None, changed_by: str) -> None:
        """Store a flag, for `ttl` seconds or for ever, and note the change; both or neither."""
        ...

    def unset(self, name: str, changed_by: str) -> None:
        """Remove a flag, and note the change if there was one."""
        ...

    def history(self, name: str | None, limit: int) -> list[FlagChange]:
        """Return the last changes, of one flag or of all, newest first."""
        ...

    def close(self) -> None:
        """Close connections of its own."""
        ...
