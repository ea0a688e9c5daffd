"""A call's arguments, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict, cast, get_args

from rag_app.errors import InvalidInputError, unknown_name
from rag_app.filters import Filters, parse_filters
from rag_app.schema import Deadline, RetrievalQuery, TokenBudget, checked_name
from rag_app.serving import Method


class RetrievalOptions(TypedDict, total=False):
    """What a call may say of its retrieval; `RagApp.retrieve` tells what each means."""

    primary_source: str | None
    secondary_sources: Sequence[str]
    primary_budget: int | None
    secondary_budget: int | None
    filters: Filters | None
    method: Method
    deadline_s: float | None


class Requests:
    """Makes requests of what callers give.

    Args:
        budget: what a call that names no tokens gets.
        filter_keys: the keys of metadata that a call may filter by.
        deadline_s: the time that a call has which names none.
    """

    def __init__(self, *, budget: TokenBudget, filter_keys: tuple[str, ...], deadline_s: float) -> None:
        self._budget = budget
        self._filter_keys = filter_keys
        self._deadline_s = deadline_s

    def checked(self, query: object, tenant: object, options: RetrievalOptions) -> tuple[RetrievalQuery, Method]:
        """Return the request and the pipeline that it asks for; its deadline begins now.

        Raises:
            InvalidInputError: an argument can not be used.
            TypeError: an option does not exist.
        """
        for name in options:
            if name not in RetrievalOptions.__annotations__:
                raise TypeError(unknown_name("option of a retrieval", name, RetrievalOptions.__annotations__))
        if not isinstance(query, str):
            raise InvalidInputError(f"query must be a string, not {type(query).__name__}")
        primary_source, sources = _checked_sources(options)
        primary, secondary = options.get("primary_budget"), options.get("secondary_budget")
        request = RetrievalQuery(
            query_str=query,
            tenant=checked_name("tenant", tenant),
            sources=sources,
            filters=parse_filters(options.get("filters"), self._filter_keys),
            budget=TokenBudget(
                self._budget.primary if primary is None else primary,
                self._budget.secondary if secondary is None else secondary,
                primary_source,
            ),
            deadline=Deadline.after(self._checked_deadline(options)),
        )
        return request, _checked_method(options.get("method", "production_rag"))

    def _checked_deadline(self, options: RetrievalOptions) -> float:
        seconds = options.get("deadline_s")
        if seconds is None:
            return self._deadline_s
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
            raise InvalidInputError(f"deadline_s must be seconds above 0, or None for the configured, not {seconds!r}")
        return seconds


def _checked_sources(options: RetrievalOptions) -> tuple[str | None, tuple[str, ...] | None]:
    """Return the primary source, and all sources to search; None for all there are."""
    primary, secondary = options.get("primary_source"), options.get("secondary_sources", ())
    if isinstance(secondary, str):
        raise InvalidInputError(f"secondary_sources must be a list of sources, not the string {secondary!r}")
    if not isinstance(secondary, Sequence):
        raise InvalidInputError(f"secondary_sources must be a list of sources, not {type(secondary).__name__}")
    if primary is not None:
        return primary, tuple(checked_name("source", source) for source in (primary, *secondary))
    if secondary:
        raise InvalidInputError("secondary_sources need a primary_source")
    return None, None


def _checked_method(method: str) -> Method:
    if method not in get_args(Method):
        raise InvalidInputError(unknown_name("method", str(method), get_args(Method)))
    return cast("Method", method)
