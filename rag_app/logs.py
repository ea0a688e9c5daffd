"""Loggers that can not fail a request: a handler that raises loses its line, never an answer."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

# What ends a line, steers a terminal or turns the order of reading around; half-spaces do none of it.
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Names the request that is being answered, where its caller knows it by a name."""


class SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose calls never raise, whatever its handlers do, and whose lines are lines, whatever they tell of."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log as `logging.Logger.log` does; a handler's error is swallowed, for there is nowhere left to tell it."""
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # this frame is not the caller
        with suppress(Exception):
            super().log(level, msg, *map(_harmless, args), **kwargs)


def harmless(text: str) -> str:
    """Return a text with what ends lines, steers terminals or turns lines around as escapes, as JSON writes them."""
    return _CONTROL.sub(lambda control: f"\\u{ord(control[0]):04x}", text)


def _harmless(argument: object) -> object:
    return harmless(str(argument)) if isinstance(argument, str | BaseException) else argument


def get_logger(name: str) -> SafeLogger:
    """Return the safe logger of a module."""
    return SafeLogger(logging.getLogger(name), {})


def key_values(fields: Mapping[str, object]) -> str:
    """Return `name=value` pairs with spaces between, as logfmt has them; None is left out.

    A text with anything but letters, digits and `._:/+-` is quoted as JSON does, so that one request stays one line
    and no value can pretend to be another field.
    """
    return " ".join(f"{name}={_shown(value)}" for name, value in fields.items() if value is not None)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.1f}"
    text = str(value)
    plain = text.isascii() and text != "" and all(char.isalnum() or char in "._:/+-" for char in text)
    return text if plain else json.dumps(text, ensure_ascii=False)
