"""What is wrong with a setting, in words for the one who set it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from rag_app.errors import unknown_name

_MAY_HOLD_PASSWORDS = ("database", "embedding", "flags.redis_url", "llm", "qdrant", "worker")


def explained(entry: Mapping[str, Any], settings: type[BaseModel]) -> str:
    """Say what is wrong with one setting, and the nearest valid name of an unknown one."""
    *sections, name = (str(part) for part in entry["loc"]) if entry["loc"] else ("settings",)
    if entry["type"] != "extra_forbidden":
        where = ".".join((*sections, name))
        shown = entry["type"] != "value_error" and isinstance(entry["input"], str | int | float) and not _secret(where)
        given = f", not {entry['input']!r}" if shown else ""
        return f"{where}: {entry['msg'].removeprefix('Value error, ')}{given}"
    where = f"setting of {'.'.join(sections)}" if sections else "setting"
    return unknown_name(where, name, _model_at(sections, settings).model_fields)


def _secret(where: str) -> bool:
    """Tell whether what is set there may be or hold a password; of a class of one's own nobody knows."""
    return where.startswith(_MAY_HOLD_PASSWORDS) or where == "flags" or "options" in where.split(".")


def _model_at(sections: Sequence[str], settings: type[BaseModel]) -> type[BaseModel]:
    """Return the section of settings at a place; one within a mapping stands behind its name there."""
    model: Any = settings
    names = iter(sections)
    for section in names:
        model = model.model_fields[section].annotation
        if get_origin(model) is dict:
            next(names, None)
            model = get_args(model)[1]
    found: type[BaseModel] = model
    return found
