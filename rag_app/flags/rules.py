"""What a flag says, given what was set, what is configured, and for whom it is asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rag_app.flags.definitions import ROLLOUT, ROLLOUT_SHARE, SHADOW_SHARE, Value
from rag_app.flags.rollout import in_rollout


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
class Held:
    """A flag as it was set; `until` is on the monotonic clock."""

    value: Value
    until: float
    changed_by: str
    changed_at: str

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return not time.monotonic() < self.until


@dataclass(frozen=True)
class Snapshot:
    """What the store said at one moment.

    Attributes:
        held: the flags that were set, also those whose time is over.
        rejected: values in the store that their flag can not have, or whose flag is not known here.
    """

    held: Mapping[str, Held] = field(default_factory=dict)
    rejected: Mapping[str, object] = field(default_factory=dict)

    def in_force(self, name: str, default: Value) -> tuple[Value, str]:
        """Return a flag's own value and the reason for it."""
        held = self.held.get(name)
        if held is None or held.expired:
            return default, "DEFAULT"
        return held.value, "DISABLED" if held.value is False else "STATIC"

    def evaluated(self, name: str, user: str | None, defaults: Mapping[str, Value]) -> tuple[Value, str]:
        """Return what a flag says to a user, or at all, and the reason for it."""
        if name == ROLLOUT:
            return self._rolled_out(user, defaults)
        value, reason = self.in_force(name, defaults[name])
        if name == SHADOW_SHARE and user is not None:
            return in_rollout(name, user, float(value)), "SPLIT" if reason == "STATIC" else reason
        return value, reason

    def _rolled_out(self, user: str | None, defaults: Mapping[str, Value]) -> tuple[Value, str]:
        value, reason = self.in_force(ROLLOUT, defaults[ROLLOUT])
        percentage, share = self.in_force(ROLLOUT_SHARE, defaults[ROLLOUT_SHARE])
        if reason == "DISABLED":
            return value, reason
        if user is None:
            return (True, "SPLIT") if share == "STATIC" and percentage == 100 and not value else (value, reason)
        if ROLLOUT_SHARE in self.held or ROLLOUT_SHARE in self.rejected:  # what ends or can not be read widens nothing
            return in_rollout(ROLLOUT, user, float(percentage)), "SPLIT"
        return value, reason
