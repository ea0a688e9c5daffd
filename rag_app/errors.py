"""Every error that rag_app raises on purpose.

::

    RagAppError
    ├── ConfigurationError        a setting is unknown, misspelt or contradictory
    │   └── IndexMismatchError    the stored index was built with another analyser or embedding
    ├── InvalidInputError         an argument of a call can not be used
    │   └── ReadError             a file or record can not be read; ingestion skips it and goes on
    ├── StorageError              the database refused or could not serve
    │   ├── DatabaseUnavailableError
    │   ├── EmbeddedDatabaseError the embedded server did not start
    │   ├── SchemaVersionError    the schema is older or newer than this package
    │   ├── ServerVersionError    PostgreSQL or pgvector is too old, or pgvector is missing
    │   └── UnstorableError       a document can not be stored as it is; ingestion skips it and goes on
    └── ComponentError            a model or other component could not be loaded or run
        ├── InvalidAnswerError    it gave something else than was asked of it
        └── LLMError              the language model gave no answer, or not all of it
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal


class RagAppError(Exception):
    """Base of all errors raised on purpose."""


class ConfigurationError(RagAppError, ValueError):
    """A setting is unknown, misspelt or contradictory."""


class IndexMismatchError(ConfigurationError):
    """The stored index was built with another analyser or embedding."""


class InvalidInputError(RagAppError, ValueError):
    """An argument of a call can not be used."""


class ReadError(InvalidInputError):
    """A file or record can not be read."""


class StorageError(RagAppError):
    """The database refused or could not serve."""


class DatabaseUnavailableError(StorageError):
    """The database can not be reached."""


class EmbeddedDatabaseError(StorageError):
    """The embedded PostgreSQL server did not start."""


class SchemaVersionError(StorageError):
    """The database schema is older or newer than this package."""


class ServerVersionError(StorageError):
    """PostgreSQL or pgvector is too old, or pgvector is missing."""


class UnstorableError(StorageError):
    """A document can not be stored as it is."""


class ComponentError(RagAppError):
    """A model or other component could not be loaded or run.

    Attributes:
        reason: the kind of failure in a few fixed words, fit for traces and metrics.
    """

    def __init__(self, message: str, reason: str = "failed") -> None:
        super().__init__(message)
        self.reason = reason


class InvalidAnswerError(ComponentError):
    """A component gave something else than was asked of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "invalid answer")


LLMFailure = Literal[
    "blocked", "empty answer", "cut off", "quota", "time-out", "unavailable", "refused key", "bad request"
]


class LLMError(ComponentError):
    """The language model gave no answer, or not all of it.

    Attributes:
        reason: "blocked" by its safety filters; "empty answer"; "cut off" in the middle; "quota" used up; "time-out";
            "unavailable", as after errors of the service or the network; "refused key"; "bad request", as of an
            unknown model.
        retry_after_s: when the service said to ask again, if it did.
    """

    reason: LLMFailure

    def __init__(self, message: str, reason: LLMFailure, retry_after_s: float | None = None) -> None:
        super().__init__(message, reason)
        self.retry_after_s = retry_after_s


def unknown_name(what: str, name: str, valid: Iterable[str]) -> str:
    """Say that `name` is no `what`, suggest the nearest valid name and list them all."""
    names = sorted(valid)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {what} {name!r}: {hint}valid: {', '.join(names) or 'none'}"


def without_credentials(text: str) -> str:
    """Return `text` with the user and the password of every URL in it hidden."""
    return re.sub(r"(\b[a-z][a-z0-9+.-]*://)?\S+@", r"\1***@", text, flags=re.IGNORECASE)


def kind_of(error: BaseException) -> str:
    """Return what kind of failure an error is, in fixed words that hold nothing of a customer's."""
    return error.reason if isinstance(error, ComponentError) else type(error).__name__
