"""A file of settings to begin with: every setting with its default and what it means, each behind a comment sign."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml
from pydantic import BaseModel

from rag_app.config.settings import Settings

_WIDTH = 100


def template() -> str:
    """Return the file; with all its comment signs taken away it sets everything as it is without it."""
    lines = [
        "# Settings of rag_app. Take away the # of what you change, and of its section.",
        "# `rag-app config show` prints what holds and where it came from, `rag-app config schema` what editors read.",
        "",
    ]
    sections = []
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            sections += ["", *_described(type(default)), f"# {name}:", *_settings_of(default)]
        else:
            lines.append(f"# {name}: {_as_yaml(default)}")
    return "\n".join([*lines, *sections, ""])


def _settings_of(section: BaseModel, indent: str = "  ") -> Iterator[str]:
    for name, value in section:
        if isinstance(value, BaseModel):
            yield from (f"# {indent}{line}" for line in _described(type(value)))
            yield f"# {indent}{name}:"
            yield from _settings_of(value, indent + "  ")
        else:
            yield f"# {indent}{name}: {_as_yaml(value)}"


def _described(section: type[BaseModel]) -> list[str]:
    """Return what a section's docstring says, as comments that are none of the settings'."""
    paragraphs = (inspect.getdoc(section) or "").split("\n\n")
    return [f"## {line}" for paragraph in paragraphs for line in wrap(" ".join(paragraph.split()), _WIDTH)]


def _as_yaml(value: Any) -> str:
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, tuple):
        value = list(value)
    return yaml.safe_dump(value, default_flow_style=True, width=1000).splitlines()[0]
