"""What is wrong with a setting, in words for the one who set it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from rag_app.errors import unknown_name


def explained(entry: Mapping[str, Any], settings: type[BaseModel]) -> str:
    """Say what is wrong with one setting, and the nearest valid name of an unknown one."""
    *sections, name = (str(part) for part in entry["loc"]) if entry["loc"] else ("settings",)
    if entry["type"] != "extra_forbidden":
        where = ".".join((*sections, name))
        holds_password = where.startswith(("database", "embedding", "flags.redis_url", "llm", "qdrant", "worker"))
        given = "" if holds_password or entry["type"] == "value_error" else f", not {entry['input']!r}"
        return f"{where}: {entry['msg'].removeprefix('Value error, ')}{given}"
    where = f"setting of {'.'.join(sections)}" if sections else "setting"
    return unknown_name(where, name, _model_at(sections, settings).model_fields)


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
