"""Names of tenants, sources and documents."""

from __future__ import annotations

from rag_app.errors import InvalidInputError

MAX_NAME_LENGTH = 200


def checked_name(what: str, value: object) -> str:
    """Return `value` if it can name a tenant, a source or a document.

    Values are compared exactly and never coerced: "123" is not "۱۲۳".

    Raises:
        InvalidInputError: not a string, empty, over 200 characters, or not storable as text.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} must be a string, not {type(value).__name__}: {_shown(value)}")
    if not value.strip():
        raise InvalidInputError(f"{what} is empty")
    if len(value) > MAX_NAME_LENGTH:
        raise InvalidInputError(f"{what} has {len(value)} characters; the limit is {MAX_NAME_LENGTH}")
    if any(char < " " or "\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInputError(f"{what} {value!r:.80} holds control characters or lone surrogates")
    return value


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except (ValueError, RecursionError):  # Python writes no number of more than 4300 digits, and nothing too deep
        return "one that can not be written out"
