"""Memory and file descriptors of the processes over time."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

EVERY_S = 2.0
ASKED_EVERY_S = 20.0
WARM_S = 60.0  # after its start a process still builds indexes and loads models
JUDGED_S = 600.0  # what a process must have lived to be called flat or not
FLAT_MB = 0.02  # by which the memory of the last quarter may be above that of the second
MORE_FDS = 20  # as many connections come and go


class Sample(NamedTuple):
    """What a process held at a moment, in seconds since the start; `cached` is what its caches said lately, in MB."""

    at: float
    megabytes: float
    descriptors: int
    cached: float = 0.0


@dataclass
class Watch:
    """Looks at some processes by kind, every two seconds.

    Attributes:
        kinds: finds the processes of each.
        cached: tells how many bytes the caches of a process hold, by its number; asked every twenty seconds.
    """

    kinds: Mapping[str, Callable[[], list[psutil.Process]]]
    cached: Callable[[], Mapping[int, float]]
    samples: defaultdict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, until: float) -> None:
        """Look until then."""
        started = time.monotonic()
        cached: dict[int, float] = {}
        asked = float("-inf")
        while time.monotonic() < until:
            if time.monotonic() >= asked + ASKED_EVERY_S:
                asked = time.monotonic()
                cached |= await asyncio.to_thread(self.cached)
            for kind, processes in self.kinds.items():
                for process in processes():
                    try:
                        sample = Sample(
                            time.monotonic() - started,
                            process.memory_info().rss / 1e6,
                            process.num_fds(),
                            cached.get(process.pid, 0.0) / 1e6,
                        )
                    except psutil.Error:  # it ended
                        continue
                    self.samples[f"{kind} {process.pid}"].append(sample)
            await asyncio.sleep(EVERY_S)

    def growth(self) -> dict[str, dict[str, float]]:
        """Return for each process that lived for two minutes what it held once warm, in the middle and at the end.

        The time after its first minute is cut into quarters; these are the medians of the first, second and last.
        """
        found = {}
        for name, samples in self.samples.items():
            warm = [sample for sample in samples if sample.at - samples[0].at >= WARM_S]
            if len(warm) * EVERY_S < WARM_S:
                continue
            part = max(1, len(warm) // 4)
            quarters = {"warm": warm[:part], "middle": warm[part : 2 * part], "last": warm[-part:]}
            minutes = (samples[-1].at - samples[0].at) / 60
            found[name] = {
                "minutes": round(minutes, 1),
                "is_judged": minutes * 60 >= JUDGED_S,
                **{f"mb_{when}": _median([each.megabytes for each in of_it]) for when, of_it in quarters.items()},
                **{f"cached_{when}": _median([each.cached for each in of_it]) for when, of_it in quarters.items()},
                "mb_most": max(sample.megabytes for sample in samples),
                **{f"fds_{when}": _median([each.descriptors for each in of_it]) for when, of_it in quarters.items()},
                "fds_most": max(sample.descriptors for sample in samples),
            }
        return found

    def not_judged(self) -> list[str]:
        """Return the kinds of which no process lived for long enough to tell whether its memory is flat."""
        judged = {name.rpartition(" ")[0] for name, grown in self.growth().items() if grown["is_judged"]}
        least = f"no process lived for {JUDGED_S / 60:.0f} minutes"
        return [f"memory of {kind} was not judged: {least}" for kind in self.kinds if kind not in judged]


def _median(values: list[float] | list[int]) -> float:
    return sorted(values)[len(values) // 2]
