"""Flags as text, and text as the value of a flag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag_app.flags import FlagChange

Told = Mapping[str, Mapping[str, Any]]
"""The flags as `FlagService.all` tells them."""


def render_flags(found: Told) -> str:
    """Return a line for each flag: its value, and who set it."""
    return "\n".join(f"{name:<34}{shown_value(flag['value']):<12}{shown_origin(flag)}" for name, flag in found.items())


def render_change(name: str, found: Told, ttl: float | None = None, *, program: str = "rag-app flags") -> str:
    """Return what a flag is after a change, and what keeps the change from having an effect."""
    changed = f"{name} is {shown_value(found[name]['value'])}{'' if ttl is None else f', for {ttl:g} s'}"
    return "\n".join(filter(None, (changed, hint_on(name, found, program=program))))


def render_history(changes: Iterable[FlagChange]) -> list[str]:
    """Return a line for each change."""
    return [
        f"{change.changed_at[:19]}  {change.name}: {shown_value(change.old)} -> {_became(change)}, "
        f"by {change.changed_by}"
        for change in changes
    ]


def hint_on(name: str, found: Told, *, program: str = "rag-app flags") -> str | None:
    """Say what keeps a change from having the effect that its author may expect, and which command ends that."""
    from rag_app.flags.definitions import ROLLOUT, ROLLOUT_SHARE

    switch, share = found[ROLLOUT], found[ROLLOUT_SHARE]
    if name == ROLLOUT_SHARE and switch["reason"] == "DISABLED":
        return f"it has no effect while {ROLLOUT} is set to false: {program} unset {ROLLOUT}"
    if name == ROLLOUT and switch["value"] is True and share["set"] and share["value"] < 100:
        return f"users get it by the percentage, which is {share['value']:g}: for all, {program} unset {ROLLOUT_SHARE}"
    return None


def parsed_value(value: str) -> Any:
    """Return the value that a text stands for; what is valid for a flag is the flag's to say."""
    words = {"true": True, "on": True, "false": False, "off": False}
    if value.lower() in words:
        return words[value.lower()]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def shown_value(value: Any) -> str:
    """Return a value as it is typed."""
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def shown_origin(flag: Mapping[str, Any]) -> str:
    """Say who set a flag, when, and for how long it holds."""
    if not flag["set"]:
        return "as configured"
    left = flag["expires_in_s"]
    end = "" if left is None else f", {left:.0f} s left" if left > 0 else ", its time is over"
    return f"set by {flag['changed_by']} at {flag['changed_at'][:19]}{end}"


def _became(change: FlagChange) -> str:
    until = f", until {change.expires_at[:19]}" if change.expires_at else ""
    return f"{'unset' if change.action == 'unset' else shown_value(change.new)}{until}"
