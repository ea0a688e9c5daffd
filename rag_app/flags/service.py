"""The flags as one process sees them: read now and then, answered from memory."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_app import metrics
from rag_app.errors import InvalidInputError, kind_of
from rag_app.flags.definitions import FLAGS, ROLLOUT, ROLLOUT_SHARE, SHADOW_SHARE, Value, definition_of
from rag_app.flags.rollout import in_rollout
from rag_app.flags.store import FlagChange, FlagStore
from rag_app.logs import get_logger

logger = get_logger(__name__)

_FIRST_LOAD_S = 1.0  # what the first question may wait
_LONGEST_PAUSE_S = 5.0  # between two reads, where the store does not answer
_STALE_AFTER_S = 10.0


@dataclass(frozen=True)
class Evaluation:
    """What a flag says, and why.

    Attributes:
        variant: "on" or "off" for what is one of these, else the value in words.
        reason: as OpenFeature names them: "DEFAULT" (as configured), "STATIC" (set), "SPLIT" (by the share of users),
            "DISABLED" (set to false for all), "STALE" (the last known value, the store does not answer), "ERROR" (it
            never did, and the configured value serves).
    """

    flag: str
    value: Value
    variant: str
    reason: str


@dataclass(frozen=True)
class _Held:
    """A flag as it was set; `until` is on the monotonic clock."""

    value: Value
    until: float
    changed_by: str
    changed_at: str

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self.until


class FlagService:
    """Evaluates flags from memory, while a thread of its own reads the store again and again.

    A store that fails or hangs leaves the last values in force. A change acts here at once, and in other processes when
    they read next.

    Args:
        store: where the flags are.
        defaults: what a flag that is not set is; else the default of its definition.
        refresh_s: how long to wait between two reads, in seconds.
    """

    def __init__(
        self, store: FlagStore, *, defaults: Mapping[str, Value] | None = None, refresh_s: float = 2.0
    ) -> None:
        self._store = store
        self._defaults = {name: (defaults or {}).get(name, flag.default) for name, flag in FLAGS.items()}
        self._refresh_s = refresh_s
        self._held: dict[str, _Held] = {}
        self._tickets = itertools.count(1)
        self._newest_ticket = 0
        self._swapping = threading.Lock()
        self._loaded_at = -math.inf
        self._answers = True
        self._waited = threading.Event()
        self._closed = threading.Event()
        self._process = 0
        self._reader: threading.Thread | None = None
        self._complained: set[tuple[str, str]] = set()

    def evaluate(self, name: str, user: str | None = None) -> Evaluation:
        """Return what a flag says, for `user` if one is named.

        `production_rag` for a user: set to false, it is off for all; else, where the roll-out percentage is set, it is
        on for that share of the users, and for none once the percentage's time is over; else it is what it is set to.
        Without a user it is what it is set to, and on where the percentage is 100.

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
        evaluation = self.evaluate(name, user)
        if not isinstance(evaluation.value, bool):
            raise InvalidInputError(
                f"the flag {name} has the value {evaluation.value!r}, it is not on or off: get_value"
            )
        return evaluation.value

    def get_value(self, name: str) -> Any:
        """Return the value in force: what was set, until its time is over, else the configured one.

        Raises:
            InvalidInputError: there is no such flag.
        """
        definition_of(name)
        self._wait_for_first_load()
        return self._in_force(name)[0]

    def set(self, name: str, value: Value, *, ttl: float | None = None, changed_by: str = "unknown") -> None:
        """Set a flag in every process, for `ttl` seconds or for ever.

        Raises:
            InvalidInputError: there is no such flag, it can not have this value, or `ttl` is no time.
            StorageError: the store does not answer or refuses; the old value holds.
        """
        definition, configured = definition_of(name), self._defaults.get(name)
        if (type(value), value) != (type(configured), configured):  # a configured model may be on other machines alone
            definition.check(value)
        if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < math.inf):
            raise InvalidInputError(f"ttl must be a number of seconds above 0, or None for ever, not {ttl!r}")
        self._store.set(name, value, ttl, changed_by)
        self._refresh()

    def unset(self, name: str, *, changed_by: str = "unknown") -> None:
        """Have a flag be as configured in every process.

        Raises:
            InvalidInputError: there is no such flag.
            StorageError: the store does not answer or refuses; the old value holds.
        """
        definition_of(name)
        self._store.unset(name, changed_by)
        self._refresh()

    def all(self) -> dict[str, dict[str, Any]]:
        """Return every flag by name, with what is known of it; times in seconds and in ISO 8601."""
        return {name: self._told(name) for name in FLAGS}

    def history(self, name: str | None = None, limit: int = 50) -> list[FlagChange]:
        """Return who changed what and when, newest first.

        Raises:
            InvalidInputError: there is no such flag.
            StorageError: the store does not answer.
        """
        if name is not None:
            definition_of(name)
        return self._store.history(name, limit)

    def close(self) -> None:
        """Stop reading, and close the store; a read that is under way has a second to end."""
        self._closed.set()
        if self._reader is not None and self._process == os.getpid():
            self._reader.join(_FIRST_LOAD_S)
        self._store.close()

    def _evaluated(self, name: str, user: str | None) -> Evaluation:
        definition_of(name)
        self._wait_for_first_load()
        value, reason = self._in_force(name)
        if name == ROLLOUT:
            value, reason = self._rolled_out(user)
        elif name == SHADOW_SHARE and user is not None:
            value, reason = in_rollout(name, user, float(value)), "SPLIT"
        variant = ("on" if value else "off") if isinstance(value, bool) else str(value)
        return Evaluation(name, value, variant, self._reason(reason))

    def _rolled_out(self, user: str | None) -> tuple[bool, str]:
        switch, share = self._held.get(ROLLOUT), self._held.get(ROLLOUT_SHARE)
        if switch is not None and not switch.expired and switch.value is False:
            return False, "DISABLED"
        percentage = float(self._in_force(ROLLOUT_SHARE)[0])
        if share is not None and (user is not None or percentage >= 100):
            return user is None or in_rollout(ROLLOUT, user, percentage), "SPLIT"
        value, reason = self._in_force(ROLLOUT)
        return bool(value), reason

    def _in_force(self, name: str) -> tuple[Value, str]:
        held = self._held.get(name)
        return (self._defaults[name], "DEFAULT") if held is None or held.expired else (held.value, "STATIC")

    def _reason(self, reason: str) -> str:
        if self._loaded_at == -math.inf:
            return "ERROR"
        stale = not self._answers or time.monotonic() - self._loaded_at > _STALE_AFTER_S
        return "STALE" if stale else reason

    def _told(self, name: str) -> dict[str, Any]:
        evaluation, held = self._evaluated(name, None), self._held.get(name)
        value = self._in_force(name)[0]
        expires = held is not None and held.until < math.inf
        return {
            "enabled": evaluation.value if isinstance(evaluation.value, bool) else bool(value),
            "value": value,
            "default": self._defaults[name],
            "set": held is not None,
            "expires_in_s": max(0.0, held.until - time.monotonic()) if held is not None and expires else None,
            "changed_by": held.changed_by if held is not None else None,
            "changed_at": held.changed_at if held is not None else None,
            "reason": evaluation.reason,
            "description": FLAGS[name].description,
        }

    def _wait_for_first_load(self) -> None:
        """Start reading, also in a forked process, to which no thread came along; wait for the first read alone."""
        if self._process != os.getpid() and not self._closed.is_set():
            with self._swapping:
                if self._process != os.getpid():
                    self._process = os.getpid()
                    self._reader = threading.Thread(target=self._read_on, name="rag_app flags", daemon=True)
                    self._reader.start()
        if not self._waited.is_set():
            self._waited.wait(_FIRST_LOAD_S)
            self._waited.set()

    def _read_on(self) -> None:
        pause_s = self._refresh_s
        while not self._closed.is_set():
            answered = self._refresh()
            self._waited.set()
            pause_s = self._refresh_s if answered else min(max(_LONGEST_PAUSE_S, self._refresh_s), pause_s * 2)
            self._closed.wait(pause_s)

    def _refresh(self) -> bool:
        """Read the store, and tell whether it answered. What a slower, older read brings is not used."""
        ticket = next(self._tickets)
        try:
            stored = self._store.load()
        except Exception as error:  # noqa: BLE001 - the last values hold
            if self._answers and not self._closed.is_set():
                logger.warning("flags can not be read, the last known values hold: %s", kind_of(error))
            self._answers = False
            return False
        now = time.monotonic()
        held = {
            name: _Held(flag.value, math.inf if flag.remaining_s is None else now + flag.remaining_s, flag.changed_by,
                        flag.changed_at)
            for name, flag in stored.items()
            if self._is_usable(name, flag.value)
        }  # fmt: skip
        with self._swapping:
            if ticket > self._newest_ticket:
                self._newest_ticket, self._held, self._loaded_at = ticket, held, now
        if not self._answers:
            logger.info("flags can be read again")
        self._answers = True
        return True

    def _is_usable(self, name: str, value: object) -> bool:
        """Tell whether a stored value is valid; complain once of each that is not."""
        known = FLAGS.get(name)
        if known is not None and (known.is_valid(value) or value == self._defaults[name]):
            return True
        if (name, repr(value)) not in self._complained:
            self._complained.add((name, repr(value)))
            logger.warning("a stored flag is ignored: %.80s has no valid value, or is not known here", name)
        return False
