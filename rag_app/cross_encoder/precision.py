"""Which precision is fastest on this machine without changing the order: measured once, then remembered."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rag_app.cross_encoder.models import INT8_FILE, fingerprint, int8_folder, own_cache
from rag_app.cross_encoder.probe_pairs import PASSAGES, QUERIES
from rag_app.cross_encoder.scorer import Scorer
from rag_app.logs import get_logger

logger = get_logger(__name__)

PRECISIONS = ("auto", "fp32", "bf16", "int8", "fp16")
MIN_AGREEMENT = 0.98  # Kendall's tau with the order of fp32
_AT_ONCE = 10  # pairs, as many as requests bring
_CALM = 0.5  # of the time this thread had a processor; with less, others were busy
_HOPELESS = 2.0  # times the time of the best so far: not timed again
_FORMAT = 5  # raised when a scorer, or what is measured of it, changes

MakeScorer = Callable[[str], Scorer]
Clock = Callable[[], tuple[float, float, float]]  # seconds: that went by, of this thread's work, of all threads' work

_known: dict[Path, Choice] = {}  # what holds for this process, by the file that keeps it


@dataclass(frozen=True)
class Measured:
    """One precision.

    Attributes:
        seconds: of all processors together, for twenty short pairs.
        agreement: Kendall's tau with fp32's order, None where it was not needed.
    """

    seconds: float
    agreement: float | None = None


@dataclass(frozen=True)
class Choice:
    """A precision, why it was taken, and what was measured of each.

    Attributes:
        settled: False if the machine was busy when it was measured, so that the next process measures again.
    """

    precision: str
    why: str
    measured: dict[str, Measured]
    settled: bool = True


def _clock() -> tuple[float, float, float]:
    return time.perf_counter(), time.thread_time(), time.process_time()


def choose_precision(folder: Path, device: str, make: MakeScorer, clock: Clock = _clock) -> Choice:
    """Return the fastest precision whose order agrees with that of fp32; on a GPU, fp16.

    On a CPU, bf16 is four times faster than fp32 where the processor has instructions for it and four times slower
    where it has none, and what int8 does to the order depends on the weights. So each is timed and compared on a few
    pairs, which takes seconds; the outcome is kept in a file, for these very weights on this very machine.

    What counts is processor time: other processes hardly change it, while they double the time that goes by, or more.
    The machine is busy if this thread, which takes part in all the computing, has no processor for half of the time.
    What is found then holds for this process alone; the next one measures again, and keeps what it finds if the machine
    is calm or the outcome the same.

    Args:
        folder: the model's files.
        device: as torch names devices.
        make: loads the model in a precision.
        clock: what tells the time.
    """
    if (folder / INT8_FILE).exists():
        return Choice("int8", "the folder is an int8 export", {})
    if device != "cpu":
        return Choice("fp16", f"{device} is a GPU", {})
    names = ["fp32", "bf16"] + ["int8"] * (int8_folder(folder) / INT8_FILE).exists()
    file = own_cache() / "precision" / f"{_key(folder, names)}.json"
    if file in _known:
        return _known[file]
    choice = _read(file)
    if choice is None or not choice.settled:
        choice = _measure(names, make, clock, before=choice)
        _write(file, choice)
    _known[file] = choice
    return choice


def agreement(one: list[float], other: list[float]) -> float:
    """Return Kendall's tau-b of two lists of scores: 1 for the same order, -1 for the opposite one."""
    from scipy.stats import kendalltau

    return float(kendalltau(one, other).statistic)


def _measure(names: list[str], make: MakeScorer, clock: Clock, before: Choice | None) -> Choice:
    measured: dict[str, Measured] = {}
    reference: list[list[float]] = []
    best, calm = "fp32", 1.0
    for name in names:
        scorer = make(name)
        seconds, had = _timed(scorer, clock, measured[best].seconds if measured else math.inf)
        calm = min(calm, had)
        tau = None
        if name == "fp32":
            reference = _orders(scorer)
        elif seconds < measured[best].seconds:
            pairs = zip(reference, _orders(scorer), strict=True)
            tau = sum(agreement(*pair) for pair in pairs) / len(reference)
        measured[name] = Measured(seconds, tau)
        if tau is not None and tau >= MIN_AGREEMENT:
            best = name
        del scorer  # before the next one is loaded
    why = _why(best, measured)
    if calm >= _CALM:
        return Choice(best, why, measured)
    why = f"{why}; measured on a busy machine, which gave it a processor for {calm:.0%} of the time"
    if before is not None and before.precision == best:
        return Choice(best, f"{why}, but twice with the same outcome", measured)
    return Choice(best, f"{why}: the next process measures again", measured, settled=False)


def _why(best: str, measured: dict[str, Measured]) -> str:
    fp32 = measured["fp32"].seconds
    told = [f"{best} is the fastest that keeps the order of fp32"]
    for name, found in measured.items():
        if name == "fp32":
            continue
        if found.agreement is None:
            told.append(f"{name} is not faster ({found.seconds / fp32:.1f} times the time)")
        else:
            told.append(f"{name} is {fp32 / found.seconds:.1f} times as fast, agreement {found.agreement:.3f}")
    if "int8" not in measured:
        told.append("int8 was not exported (rag-app models export --int8)")
    return "; ".join(told)


def _timed(scorer: Scorer, clock: Clock, best: float) -> tuple[float, float]:
    """Return the least processor seconds for the pairs, and for which part of the time this thread had a processor."""
    pairs = sorted(scorer.tokenize(QUERIES[0], PASSAGES), key=lambda pair: len(pair["input_ids"]))
    scorer.logits(pairs[:2])  # what runs for the first time is slow
    taken: list[float] = []
    begun, working, _ = clock()
    while len(taken) < 3 and max(taken, default=0.0) < _HOPELESS * best:
        *_, used = clock()
        for start in range(0, len(pairs), _AT_ONCE):
            scorer.logits(pairs[start : start + _AT_ONCE])
        taken.append(clock()[2] - used)
    ended, worked, _ = clock()
    return max(min(taken), 1e-6), (worked - working) / max(ended - begun, 1e-9)


def _orders(scorer: Scorer) -> list[list[float]]:
    return [
        [logit for pair in scorer.tokenize(query, PASSAGES) for logit in scorer.logits([pair])] for query in QUERIES
    ]


def _key(folder: Path, names: list[str]) -> str:
    import torch

    processor = ""
    if (cpu_info := Path("/proc/cpuinfo")).exists():
        lines = cpu_info.read_text("utf-8", "replace").splitlines()
        processor = ";".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
    told = (
        _FORMAT,
        fingerprint(folder),
        names,
        platform.machine(),
        processor,
        torch.__version__,
        torch.get_num_threads(),
        [os.environ.get(name) for name in ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS")],
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _read(file: Path) -> Choice | None:
    try:
        kept = json.loads(file.read_text("utf-8"))
        return Choice(
            kept["precision"],
            kept["why"],
            {name: Measured(**of) for name, of in kept["measured"].items()},
            kept["settled"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("Rerank: the precision is measured again, %s can not be read: %s", file, type(error).__name__)
        return None


def _write(file: Path, choice: Choice) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        part.write_text(json.dumps(asdict(choice), ensure_ascii=False), "utf-8")
        part.replace(file)
    except OSError as error:
        logger.warning("Rerank: the precision will be measured again, %s: %s", file, type(error).__name__)
