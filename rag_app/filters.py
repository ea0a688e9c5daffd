"""Filters on the metadata of documents: which keys may be asked for, and values that are compared as they are."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from rag_app.errors import InvalidInputError, unknown_name

ALWAYS_ALLOWED = ("doc_id", "kind", "title")
MAX_VALUES = 1000

Value = str | int | float | bool
Filters = Mapping[str, Value | Sequence[Value]] | MetadataFilters
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
_MAX_BITS = 14_000  # some 4,200 digits; Python refuses to write out more than 4,300


@dataclass(frozen=True)
class FieldFilter:
    """A document passes if the field `key` of its metadata is one of `values`, or is a list that holds one.

    Values are compared with their type: "123" is neither 123 nor "۱۲۳".
    """

    key: str
    values: tuple[Value, ...]

    @property
    def as_json(self) -> list[str]:
        """The values as JSON, for PostgreSQL."""
        return [json.dumps(value, ensure_ascii=False) for value in self.values]


def parse_filters(given: Filters | None, allowed: Iterable[str]) -> tuple[FieldFilter, ...]:
    """Return the filters of a call, all of which a document must pass.

    Args:
        given: values by key, each one value or a list of which any will do; or LlamaIndex's `MetadataFilters` with the
            operators `==` and `in` and the condition `and`.
        allowed: the keys of metadata that may be asked for, beside `doc_id`, `kind` and `title`.

    Raises:
        InvalidInputError: a key is not allowed, or a value is none that metadata can hold.
    """
    if given is None:
        return ()
    pairs = _llama_index_pairs(given) if isinstance(given, MetadataFilters) else _pairs(given)
    valid = {*ALWAYS_ALLOWED, *allowed}
    return tuple(_filter(key, value, valid) for key, value in pairs)


def _pairs(given: object) -> Iterable[tuple[object, object]]:
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"filters must map keys to values, as {{'brand': 'سونی'}}, not be a {type(given).__name__}"
        )
    return given.items()


def _llama_index_pairs(given: MetadataFilters) -> Iterable[tuple[object, object]]:
    if given.condition not in (FilterCondition.AND, None):
        raise InvalidInputError(f"filters are joined by 'and', not by {given.condition.value!r}")
    for entry in given.filters:
        if not isinstance(entry, MetadataFilter):
            raise InvalidInputError("filters within filters are not supported; list them side by side")
        if entry.operator not in (FilterOperator.EQ, FilterOperator.IN):
            raise InvalidInputError(f"filters have the operators '==' and 'in', not {entry.operator.value!r}")
        if (entry.operator is FilterOperator.IN) != isinstance(entry.value, list):
            raise InvalidInputError(f"the filter on {entry.key!r} needs a list with 'in' and one value with '=='")
        yield entry.key, entry.value


def _filter(key: object, given: object, valid: set[str]) -> FieldFilter:
    if not isinstance(key, str) or key not in valid:
        hint = "; allow further keys by retrieval.filter_keys"
        raise InvalidInputError(unknown_name("filter key", _shown(key), valid) + hint)
    if _UNSTORABLE.search(key):
        raise InvalidInputError(f"the filter key {key!r} holds NUL characters or lone surrogates")
    values = list(given) if isinstance(given, list | tuple | set | frozenset) else [given]
    if len(values) > MAX_VALUES:
        raise InvalidInputError(f"the filter on {key!r} has {len(values)} values; the limit is {MAX_VALUES}")
    return FieldFilter(key, tuple(_checked(key, value) for value in values))


def _checked(key: str, value: Any) -> Value:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise InvalidInputError(f"the filter on {key!r} holds NUL characters or lone surrogates")
        return value
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise InvalidInputError(f"the filter on {key!r} holds a number of {value.bit_length()} bits")
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InvalidInputError(f"the filter on {key!r} must be text, a number or a boolean, not {_shown(value)}")


def _shown(value: object) -> str:
    """Return what was given as it may stand in a message: some objects, such as huge numbers, can not be written."""
    if isinstance(value, str | float | NoneType) or (isinstance(value, int) and value.bit_length() <= _MAX_BITS):
        return str(value)[:80]
    return f"a {type(value).__name__}"
