"""The flags as one process sees them: read now and then, answered from memory."""

from __future__ import annotations

import math
import os
import time
import weakref
from collections.abc import Mapping
from typing import Any

from rag_app import metrics
from rag_app.errors import ConfigurationError, InvalidInputError, unknown_name
from rag_app.flags.definitions import FLAGS, SHADOW_SHARE, Value, definition_of
from rag_app.flags.reader import Reader
from rag_app.flags.rules import Evaluation
from rag_app.flags.store import FlagChange, FlagStore
from rag_app.schema import checked_name

MAX_TTL_S = 10 * 365 * 86400


class FlagService:
    """Evaluates flags from memory, while a thread of its own reads the store again and again.

    A store that fails or hangs leaves the last values in force. A change acts here at once, and in other processes when
    they read next. The thread starts with the first question, in a forked process too.

    Args:
        store: where the flags are; `close` closes it.
        defaults: what a flag that is not set is; else the default of its definition.
        refresh_s: how long to wait between two reads, in seconds.

    Raises:
        ConfigurationError: `defaults` names a flag that does not exist.
    """

    def __init__(
        self, store: FlagStore, *, defaults: Mapping[str, Value] | None = None, refresh_s: float = 2.0
    ) -> None:
        for name in defaults or ():
            if name not in FLAGS:
                raise ConfigurationError(unknown_name("flag", name, FLAGS))
        self._store = store
        self._defaults = {name: (defaults or {}).get(name, flag.default) for name, flag in FLAGS.items()}
        self._refresh_s = refresh_s
        self._reader = Reader(store, self._is_usable, refresh_s)
        _renew_after_fork(self)

    def evaluate(self, name: str, user: str | None = None) -> Evaluation:
        """Return what a flag says, for `user` if one is named.

        `production_rag` for a user:

        1. set to false, it is off for all: the way back, which wins over everything;
        2. else, where the roll-out percentage is set, it is on for that share of the users. A percentage whose time is
           over counts as its default, 0, until it is unset: the end of a time to live never widens a roll-out;
        3. else it is what it is set to, and once its own time is over, as if it had never been set.

        Without a user it is what it is set to, and on where the percentage is 100. `production_rag_shadow_percentage`
        is on or off for a user, and a number without one. The user changes nothing of the others.

        Raises:
            InvalidInputError: there is no such flag.
        """
        evaluation = self._evaluated(name, user)
        metrics.flag_evaluated(name, evaluation.variant, evaluation.reason)
        return evaluation

    def is_enabled(self, name: str, user: str | None = None) -> bool:
        """Tell whether a flag is on, for `user` if one is named.

        Raises:
            InvalidInputError: there is no such flag, or it is neither on nor off.
        """
        default = definition_of(name).default
        if not isinstance(default, bool) and (name != SHADOW_SHARE or user is None):
            advice = "name a user, or call get_value" if name == SHADOW_SHARE else "call get_value"
            raise InvalidInputError(f"the flag {name} is not on or off: {advice}")
        return bool(self.evaluate(name, user).value)

    def get_value(self, name: str) -> Any:
        """Return the value in force: what was set, until its time is over, else the configured one.

        Raises:
            InvalidInputError: there is no such flag.
        """
        definition_of(name)
        self._reader.wait_for_first_read()
        return self._reader.snapshot.in_force(name, self._defaults[name])[0]

    def set(self, name: str, value: Value, *, ttl: float | None = None, changed_by: str = "unknown") -> None:
        """Set a flag in every process, for `ttl` seconds, ten years at most, or for ever.

        Raises:
            InvalidInputError: there is no such flag, it can not have this value, or `ttl` is no time.
            StorageError: the store does not answer or refuses; the old value holds.
        """
        definition = definition_of(name)
        if not self._is_usable(name, value):
            definition.check(value)
        if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl <= MAX_TTL_S):
            raise InvalidInputError(f"ttl must be seconds above 0, {MAX_TTL_S} at most, or None for ever, not {ttl!r}")
        self._store.set(name, value, ttl, checked_name("changed_by", changed_by))
        self._reader.try_read()

    def unset(self, name: str, *, changed_by: str = "unknown") -> None:
        """Have a flag be as configured in every process.

        Raises:
            InvalidInputError: there is no such flag.
            StorageError: the store does not answer or refuses; the old value holds.
        """
        definition_of(name)
        self._store.unset(name, checked_name("changed_by", changed_by))
        self._reader.try_read()

    def all(self) -> dict[str, dict[str, Any]]:
        """Return every flag by name, with what is known of it.

        `enabled`: whether it is on, or is not 0; `value`: in force; `default`: as configured; `set`: whether someone
        set it, also where its time is over; `expires_in_s`: seconds left, 0 where they are over, None for ever;
        `changed_by`; `changed_at` in ISO 8601; `reason`, as of `Evaluation`; `description`.
        """
        return {name: self._told(name) for name in FLAGS}

    def history(self, name: str | None = None, limit: int = 50) -> list[FlagChange]:
        """Return who changed what and when, newest first.

        Raises:
            InvalidInputError: there is no such flag, or `limit` is below 1.
            StorageError: the store does not answer.
        """
        if name is not None:
            definition_of(name)
        if limit < 1:
            raise InvalidInputError(f"limit must be 1 or more, not {limit}")
        return self._store.history(name, limit)

    def refresh(self) -> None:
        """Read the store now.

        Raises:
            StorageError: it does not answer.
        """
        self._reader.read()

    def close(self) -> None:
        """Stop reading, and close the store; what was read last still answers."""
        self._reader.close()
        self._store.close()

    def _evaluated(self, name: str, user: str | None) -> Evaluation:
        definition_of(name)
        reader = self._reader
        reader.wait_for_first_read()
        value, reason = reader.snapshot.evaluated(name, user, self._defaults)
        if not reader.has_loaded:
            reason = "ERROR"
        elif not reader.is_fresh:
            reason = "STALE"
        variant = ("on" if value else "off") if isinstance(value, bool) else str(value)
        return Evaluation(name, value, variant, reason)

    def _told(self, name: str) -> dict[str, Any]:
        evaluation, held = self._evaluated(name, None), self._reader.snapshot.held.get(name)
        limited = held is not None and held.until < math.inf
        return {
            "enabled": bool(evaluation.value),
            "value": self.get_value(name),
            "default": self._defaults[name],
            "set": held is not None,
            "expires_in_s": max(0.0, held.until - time.monotonic()) if held is not None and limited else None,
            "changed_by": held.changed_by if held is not None else None,
            "changed_at": held.changed_at if held is not None else None,
            "reason": evaluation.reason,
            "description": FLAGS[name].description,
        }

    def _is_usable(self, name: str, value: object) -> bool:
        """Tell whether a flag may have a value; the configured one always, also where its model is not here now."""
        known = FLAGS.get(name)
        if known is None:
            return False
        default = self._defaults[name]
        return known.is_valid(value) or (type(value) is type(default) and value == default)

    def _renew(self) -> None:
        self._reader = Reader(self._store, self._is_usable, self._refresh_s, parent=self._reader)


def _renew_after_fork(service: FlagService) -> None:
    """Give a service another reader in a forked process, where its thread is gone and a lock may be held for ever."""
    known = weakref.ref(service)

    def renew() -> None:
        if (here := known()) is not None:
            here._renew()

    os.register_at_fork(after_in_child=renew)
