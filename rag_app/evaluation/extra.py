"""The libraries of the extra `eval`, which load when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rag_app.errors import ComponentError


def library(name: str) -> Any:
    """Return the module of that name.

    Raises:
        ComponentError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ComponentError(f"this part of the evaluation needs {package}: pip install 'rag-app[eval]'") from error
