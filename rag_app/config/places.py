"""In which of the places where settings can be set one was set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Places = Sequence[tuple[str, Mapping[str, Any]]]
"""What is set in each place, by what the place is called, the strongest first."""

ENVIRONMENT = "environment"


def place_of(path: Sequence[str], places: Places) -> str | None:
    """Return the place that a setting is from, with the name of the variable; None if none of them holds it."""
    for place, values in places:
        if _holds(values, path):
            return f"{place} RAG_APP_{'__'.join(path).upper()}" if place == ENVIRONMENT else place
    return None


def _holds(values: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True
