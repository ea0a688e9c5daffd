"""Where each setting came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr
from pydantic_settings import EnvSettingsSource

from rag_app.config.places import ENVIRONMENT, Places, place_of
from rag_app.config.settings import PROFILES, Settings, load_settings, read_yaml
from rag_app.errors import without_credentials


class Effective(NamedTuple):
    """A setting as it holds.

    Attributes:
        name: with its sections, as "rerank.kind".
        value: as YAML has it; a secret as asterisks.
        origin: "default", "profile NAME", "file PATH", "environment VARIABLE" or "argument".
    """

    name: str
    value: Any
    origin: str


def effective_settings(config: str | Path | None = None, **overrides: Any) -> list[Effective]:
    """Return every setting as `load_settings` finds it, and where it came from.

    Raises:
        ConfigurationError: as `load_settings` does.
    """
    settings = load_settings(config, **overrides)
    file = config or os.environ.get("RAG_APP_CONFIG")
    given = {name: value for name, value in overrides.items() if value is not None}
    places: Places = [
        ("argument", given),
        (ENVIRONMENT, EnvSettingsSource(Settings)()),
        (f"file {file}", read_yaml(Path(file)) if file else {}),
        (f"profile {settings.profile}", PROFILES[settings.profile]),
    ]
    return [
        Effective(".".join(path), _shown(path, value), _origin(path, places))
        for path, value in _leaves(settings.model_dump())
    ]


def _leaves(values: Mapping[str, Any], *sections: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, *sections, name)
        else:
            yield (*sections, name), value


def _origin(path: tuple[str, ...], places: Places) -> str:
    if (place := place_of(path, places)) is not None:
        return place
    if path == ("database", "url") and os.environ.get("DATABASE_URL"):
        return "environment DATABASE_URL"
    return "default"


def _shown(path: tuple[str, ...], value: Any) -> Any:
    of_own_class = "options" in path  # nobody says which of these are secret, so their texts all may be
    if isinstance(value, SecretStr) or (of_own_class and value and not isinstance(value, int | float)):
        return "*****"
    if isinstance(value, str) and "://" in value:
        return without_credentials(value)
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
