"""The users of a backend, and the tenants that they are here."""

from __future__ import annotations

from rag_app.errors import InvalidInputError


def tenant_of(user: object) -> str:
    """Return the tenant that a user names: its `pk`, else its `id`, else the string or integer that it is.

    Raises:
        InvalidInputError: it has neither, or is not saved yet.
    """
    named = getattr(user, "pk", None)
    if named is None:
        named = getattr(user, "id", user)
    if isinstance(named, bool) or named is None or (named is user and not isinstance(user, str | int)):
        raise InvalidInputError(
            f"user must be a string, an integer, or an object with a pk or id that is set, not {type(user).__name__}"
        )
    return str(named)
