"""What this machine could do at most, and what a model's work amounts to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedConfig

FEATURES = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx2")
FORCED = "ONEDNN_MAX_CPU_ISA"


def features() -> dict[str, bool]:
    """Return which instructions that matter here the processor has."""
    cpu_info = Path("/proc/cpuinfo")
    flags = set(cpu_info.read_text("utf-8", "replace").split()) if cpu_info.exists() else set()
    return {name: name in flags for name in FEATURES}


def described() -> str:
    """Return the processor in words: threads, instructions, and what the environment forbids."""
    found = features()
    told = ", ".join(name if has else f"no {name}" for name, has in found.items())
    return f"{torch.get_num_threads()} threads; {told}; {FORCED}={os.environ.get(FORCED, 'not set')}"


@dataclass
class Others:
    """What other processes took of this machine's processors, a part of all of them; None where it is not known."""

    part: float | None = None

    def __str__(self) -> str:
        return "unknown" if self.part is None else f"{self.part:.1%}"


@contextmanager
def watched() -> Iterator[Others]:
    """Measure what other processes take while the block runs: products in several threads suffer from it greatly."""
    others, before = Others(), _ticks()
    yield others
    after = _ticks()
    if before is not None and after is not None:
        busy, all_ticks, own = (late - early for early, late in zip(before, after, strict=True))
        others.part = max(0.0, (busy - own) / max(1.0, all_ticks))


def _ticks() -> tuple[float, float, float] | None:
    """Return since the start the ticks in which processors worked, all ticks, and those of this process."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    ticks = [int(figure) for figure in stat.read_text("utf-8").split("\n", 1)[0].split()[1:9]]
    own = time.process_time() * os.sysconf("SC_CLK_TCK")
    return sum(ticks) - sum(ticks[3:5]), sum(ticks), own  # the fourth and fifth are idle ones


def peak(precision: str, size: int = 2048, repeats: int = 8) -> float | None:
    """Return the GFLOP/s of torch's product of two square matrices, the best of several; None if it has none."""
    if precision == "int8":
        whole = torch.randint(-100, 100, (size, size), dtype=torch.int8)
        if not hasattr(torch, "_int_mm"):
            return None
        return _best(lambda: torch._int_mm(whole, whole), size, repeats)
    numbers = torch.randn(size, size, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    return _best(lambda: torch.mm(numbers, numbers), size, repeats)


def gflop(config: PreTrainedConfig, lengths: Iterable[int]) -> float:
    """Return the work of scoring pairs of so many tokens: two operations for each multiplication, padding left out.

    Counted are the linear layers and attention; the rest is below one percent.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    linear = 4 * hidden * hidden + 2 * hidden * inner  # of a token in a layer
    layer = sum(length * linear + 2 * length * length * hidden for length in lengths)
    return float(2 * layer * config.num_hidden_layers) / 1e9


def _best(product: Callable[[], object], size: int, repeats: int) -> float:
    taken = []
    for _ in range(repeats + 1):  # the first is slow
        started = time.perf_counter()
        product()
        taken.append(time.perf_counter() - started)
    return 2.0 * float(size) ** 3 / min(taken) / 1e9
