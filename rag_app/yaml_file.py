"""YAML files: read once and within limits, whatever is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rag_app.errors import ConfigurationError

MAX_MB = 10
_DEEPEST = 100  # levels, of what aliases stand for too
_MOST_VALUES = 1_000_000  # with what each alias stands for counted where it stands


def load_yaml(file: Path, what: str) -> Any:
    """Return what a YAML file holds; None if that is nothing.

    Args:
        file: where it is.
        what: what errors call it, as "lexicon".

    Raises:
        ConfigurationError: it can not be read, is no YAML, is too large or nested too deep, or aliases make it so.
    """
    try:
        if (megabytes := file.stat().st_size / 1e6) > MAX_MB:
            raise ConfigurationError(f"the {what} {file} has {megabytes:.1f} MB; the limit is {MAX_MB}")
        with file.open(encoding="utf-8") as stream:  # of a stream, errors quote no line, which may hold a password
            return _loaded(stream)
    except OSError as error:
        raise ConfigurationError(f"the {what} {file} can not be read: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the {what} {file} is not YAML: {error}") from error
    except RecursionError:
        raise ConfigurationError(f"the {what} {file} is nested too deep") from None


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, ArithmeticError) as error:  # as of 2026-13-40 or `!!int x`
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(None, None, f"a value is no {kind}", node.start_mark) from error


def _loaded(stream: Any) -> Any:
    loader = _Loader(stream)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _measure(node: yaml.Node, known: dict[yaml.Node, tuple[int, int] | None]) -> tuple[int, int]:
    """Return how many values and levels a node has.

    Args:
        node: where to begin.
        known: the same of nodes that were measured; None of those that are being measured.
    """
    if node in known:
        if (measured := known[node]) is None:
            raise yaml.composer.ComposerError(None, None, "an alias stands for what it is in", node.start_mark)
        return measured
    known[node] = None
    values, levels = 1, 0
    for part in _parts(node):
        more, deeper = _measure(part, known)
        values, levels = values + more, max(levels, deeper)
    if values > _MOST_VALUES or levels >= _DEEPEST:
        limit = f"{_MOST_VALUES} values" if values > _MOST_VALUES else f"{_DEEPEST} levels"
        raise yaml.composer.ComposerError(None, None, f"with its aliases it has more than {limit}", node.start_mark)
    known[node] = values, levels + 1
    return values, levels + 1


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []
