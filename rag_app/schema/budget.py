"""How much a context may hold, and who counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rag_app.errors import InvalidInputError


class TokenCounter(Protocol):
    """Counts tokens as the model that reads the context does, or never fewer."""

    name: str

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        ...


class ContextTokenCounter(Protocol):
    """Counts the tokens of a whole context where that takes a request."""

    name: str

    async def acount(self, text: str, *, timeout_s: float) -> int:
        """Return the number of tokens of `text`.

        Raises:
            ComponentError: they could not be counted in time.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True)
class TokenBudget:
    """How many tokens the context may hold.

    With no `primary_source`, every chunk is primary. What one share does not use, the other may.

    Raises:
        InvalidInputError: a share is negative or no integer.
    """

    primary: int
    secondary: int
    primary_source: str | None = None

    def __post_init__(self) -> None:
        for name in ("primary", "secondary"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidInputError(f"{name}_budget must be 0 or more tokens, not {_told(value)}")

    @property
    def total(self) -> int:
        """Both shares together."""
        return self.primary + self.secondary

    def is_primary(self, source: str) -> bool:
        """Tell whether chunks of `source` draw on the primary share first."""
        return self.primary_source is None or source == self.primary_source


def _told(value: object) -> str:
    return repr(value) if isinstance(value, int | float) else f"the {type(value).__name__} {value!r:.80}"
