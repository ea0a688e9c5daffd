"""Writes the parts of `docs/` that the code knows: the commands and the settings, each between markers of its page."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from typer.core import TyperArgument, TyperGroup

from rag_app.cli.commands import app
from rag_app.config import Settings

DOCS = Path(__file__).parent.parent / "docs"
COMMON = {"--help", "--profile", "--config", "--data-dir", "--json"}  # told once, above the table


def commands() -> str:
    """Return a table of all commands with their arguments, what each does, and its own options."""
    rows = [
        (f"`{' '.join(['rag-app', *path, *_arguments(command)])}`", _first_line(command), _options(command))
        for path, command in _commands(typer.main.get_command(app))
    ]
    return _table(("command", "what it does", "options"), rows)


def _commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _commands(inner, *path, name)
    else:
        yield path, command


def _arguments(command: Any) -> Iterator[str]:
    for argument in command.params:
        if isinstance(argument, TyperArgument):
            name = (argument.metavar or argument.name or "").strip("{}").upper() + (
                "..." if argument.nargs == -1 else ""
            )
            yield name if argument.required else f"[{name}]"


def _first_line(command: Any) -> str:
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def _options(command: Any) -> str:
    names = [option.opts[0] for option in command.params if not isinstance(option, TyperArgument)]
    return " ".join(f"`{name}`" for name in names if name not in COMMON)


def settings() -> str:
    """Return what each section of the settings means, and a table of its settings with their defaults."""
    parts = list(_section("", Settings()))
    return "\n\n".join(parts)


def _section(name: str, section: BaseModel) -> Iterator[str]:
    if name:
        yield f"### `{name}`"
        yield re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(type(section)) or "")
    values = {field: getattr(section, field) for field in type(section).model_fields}
    inner = {field: value for field, value in values.items() if isinstance(value, BaseModel)}
    schema = type(section).model_json_schema()["properties"]
    rows = [
        (f"`{field}`", _default(value), _valid(schema[field])) for field, value in values.items() if field not in inner
    ]
    yield _table(("setting", "default", "valid"), rows)
    for field, value in inner.items():
        yield from _section(f"{name}.{field}".lstrip("."), value)


def _default(value: Any) -> str:
    if value is None or value == "":
        return "none" if value is None else "empty"
    if isinstance(value, str | Path):
        return f"`{value}`"
    return f"`{json.dumps(value)}`"


def _valid(schema: dict[str, Any]) -> str:
    """Return in words what a JSON Schema of one setting admits."""
    if "anyOf" in schema:
        return " or ".join(_valid(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "pattern" in schema:
        return "a class of your own"
    if schema.get("format") == "path":
        return "a path"
    if schema.get("format") == "password":
        return "a secret"
    words = {"string": "text", "integer": "integer", "number": "number", "boolean": "true, false", "array": "a list"}
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema)
    return f"{words.get(schema.get('type', ''), 'a mapping')} {limits}".rstrip()


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


GENERATED = {DOCS / "cli.md": ("commands", commands), DOCS / "settings.md": ("settings", settings)}


def written(page: Path) -> str:
    """Return a page with its generated part as it is now."""
    name, make = GENERATED[page]
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    return f"{before}{begin}\n{make()}\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    for page in GENERATED:
        page.write_text(written(page), "utf-8")
