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
WARM_S = 60.0  # after its start a process still builds indexes and loads models


class Sample(NamedTuple):
    """What a process held at a moment, in seconds since the start."""

    at: float
    megabytes: float
    descriptors: int


@dataclass
class Watch:
    """Looks at some processes by kind, every two seconds."""

    kinds: Mapping[str, Callable[[], list[psutil.Process]]]
    samples: defaultdict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, until: float) -> None:
        """Look until then."""
        started = time.monotonic()
        while time.monotonic() < until:
            for kind, processes in self.kinds.items():
                for process in processes():
                    try:
                        sample = Sample(time.monotonic() - started, process.memory_info().rss / 1e6, process.num_fds())
                    except psutil.Error:  # it ended
                        continue
                    self.samples[f"{kind} {process.pid}"].append(sample)
            await asyncio.sleep(EVERY_S)

    def growth(self) -> dict[str, dict[str, float]]:
        """Return for each process that lived for two minutes what it held once warm and at the end, as medians."""
        found = {}
        for name, samples in self.samples.items():
            warm = [sample for sample in samples if sample.at - samples[0].at >= WARM_S]
            if len(warm) * EVERY_S < WARM_S:
                continue
            part = max(1, len(warm) // 4)
            first, last = warm[:part], warm[-part:]
            found[name] = {
                "minutes": round((samples[-1].at - samples[0].at) / 60, 1),
                "mb_first": _median([sample.megabytes for sample in first]),
                "mb_last": _median([sample.megabytes for sample in last]),
                "mb_most": max(sample.megabytes for sample in samples),
                "fds_first": _median([sample.descriptors for sample in first]),
                "fds_last": _median([sample.descriptors for sample in last]),
                "fds_most": max(sample.descriptors for sample in samples),
            }
        return found


def _median(values: list[float] | list[int]) -> float:
    return sorted(values)[len(values) // 2]
