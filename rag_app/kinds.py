"""The kinds of every component that can be swapped: those of this package, of other packages, and one's own classes.

A kind is a name, or the path of a class or function as `package.module:Name`. Other packages add names by an entry
point in the group `rag_app.<component>`, such as `rag_app.rerank`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, get_args

from pydantic import ValidationError

from rag_app.errors import ConfigurationError, unknown_name

Component = Literal["embedding", "dense", "sparse", "leg", "rerank", "llm"]
COMPONENTS: tuple[Component, ...] = get_args(Component)

# Each with the extra that brings what it needs.
SHIPPED: Mapping[Component, Mapping[str, str | None]] = {
    "embedding": {
        "hashing": None,
        "huggingface": "huggingface",
        "google_genai": "google-genai",
        "openai_like": "openai-like",
    },
    "dense": {"auto": None, "postgres": None, "memory": None, "qdrant": "qdrant", "none": None},
    "sparse": {"bm25": None, "postgres_fts": None, "none": None},
    "leg": {},
    "rerank": {"lexical": None, "cross_encoder": "cross-encoder", "none": None},
    "llm": {
        "extractive": None,
        "google_genai": "google-genai",
        "gemini": "gemini",
        "openai_like": "openai-like",
    },
}
PATH = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


def names_of(component: Component) -> tuple[str, ...]:
    """Return the kinds of a component that have a name."""
    return (*SHIPPED[component], *_paths(component))


def checked_kind(component: Component, kind: str) -> str:
    """Return `kind` if it can be one; whether a path leads anywhere is seen when it is opened.

    Raises:
        ValueError: it is neither a known name nor a path.
    """
    if kind in names_of(component) or re.fullmatch(PATH, kind):
        return kind
    raise ValueError(f"{unknown_name('kind', kind, names_of(component))}, or a path as package.module:Name")


def is_shipped(component: Component, kind: str) -> bool:
    """Tell whether a kind is of this package."""
    return kind in SHIPPED[component]


def open_own(component: Component, kind: str, options: Mapping[str, Any], expected: type) -> Any:
    """Return an instance of a class of one's own, made with `options` as keyword arguments.

    Raises:
        ConfigurationError: it can not be imported, does not take the options, or gives something else than `expected`.
    """
    path = _paths(component).get(kind, kind)
    make = _imported(component, path)
    try:
        own = make(**options)
    except ValidationError as error:  # in full it would quote the options, of which one may be a key
        what = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ConfigurationError(
            f"{component} {path!r} can not be made with the options {sorted(options)}: {what}"
        ) from None
    except Exception as error:
        raise ConfigurationError(
            f"{component} {path!r} can not be made with the options {sorted(options)}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(own, expected):
        raise ConfigurationError(
            f"{component} {path!r} gives a {type(own).__name__}; a {expected.__module__}.{expected.__name__} is needed"
        )
    return own


@contextmanager
def extra_of(component: Component, kind: str) -> Iterator[None]:
    """Name the extra that brings what the block could not import.

    Raises:
        ConfigurationError: an import failed.
    """
    try:
        yield
    except ImportError as error:
        extra = SHIPPED[component][kind]
        raise ConfigurationError(
            f'{component} kind {kind!r} needs more packages: pip install "rag-app[{extra}]"'
        ) from error


def _imported(component: Component, path: str) -> Callable[..., Any]:
    module_name, _, name = path.partition(":")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(
            f"{component} {path!r}: {module_name!r} can not be imported, it must be on Python's path: {error}"
        ) from error
    found: Any = getattr(module, name, None)
    if not callable(found):
        near = get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"{component} {path!r}: the module {module_name!r} has no class {name!r}{hint}")
    make: Callable[..., Any] = found
    return make


@cache
def _paths(component: Component) -> dict[str, str]:
    """Return the kinds that other packages add, with their paths; a name of ours stays ours."""
    found = {entry.name: entry.value for entry in entry_points(group=f"rag_app.{component}")}
    return {name: path for name, path in found.items() if name not in SHIPPED[component]}
