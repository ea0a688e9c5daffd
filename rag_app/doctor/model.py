"""Whether the cross-encoder is here, fits into memory, loads, and is quick enough."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rag_app.config import Settings
from rag_app.cross_encoder import Choice, LoadedModel, ModelSpec, find_model, hub_cache, int8_folder, load_model
from rag_app.cross_encoder.loading import failures_explained, ran_out_of_memory
from rag_app.cross_encoder.models import INT8_FILE, is_int8_export, megabytes
from rag_app.cross_encoder.probe_pairs import PASSAGES, QUERIES
from rag_app.cross_encoder.scorer import Scorer
from rag_app.doctor.findings import TROUBLESHOOTING, Check
from rag_app.errors import ComponentError

_AT_ONCE = 4  # pairs


def model_checks(settings: Settings, model: str) -> Iterator[Check]:
    """Find `model`, load it and time it; what can not be done ends the checks of it."""
    options = settings.rerank
    spec = ModelSpec(model, options.precision, options.device, options.max_length)
    try:
        with failures_explained(model):
            folder = find_model(model)
            whereabouts, memory = _whereabouts(model, folder), _memory(model, folder, options.precision)
    except ComponentError as error:
        yield Check("model", "problem", str(error))
        return
    yield whereabouts
    yield memory
    started = time.perf_counter()
    try:
        loaded = load_model(spec)
    except ComponentError as error:
        yield Check("load", "problem", str(error))
        return
    yield _loaded(loaded, time.perf_counter() - started, options.load_timeout_s)
    yield _precision(model, loaded.choice)
    yield _speed(model, loaded.scorer, settings.deadline_s)


def _whereabouts(model: str, folder: Path) -> Check:
    place = "in the cache of the hub" if hub_cache() in folder.parents else "a folder"
    exported = int8_folder(folder)
    int8 = f"int8 export in {exported}" if is_int8_export(exported) else "not exported to int8"
    return Check("model", "ok", f"{model} is on this machine: {folder}, {place}, {megabytes(folder):.1f} MB; {int8}")


def _memory(model: str, folder: Path, precision: str) -> Check:
    exported = precision == "int8" or is_int8_export(folder)
    weights = int8_folder(folder).glob(INT8_FILE) if exported else folder.glob("*.safetensors")
    needed = sum(file.stat().st_size for file in weights) / 1e6
    free = _free_megabytes()
    if free is None:
        return Check("memory", "ok", f"{needed:.1f} MB of weights; how much memory is free can not be told here")
    finding = f"{needed:.1f} MB of weights, {free:.0f} MB of memory free"
    if needed < free:
        return Check("memory", "ok", finding)
    answer = (
        f"take a smaller model (rerank.model: base), export it (`rag-app models export {model} --int8`) for "
        "rerank.precision: int8, run fewer processes, or need no model (rerank.kind: lexical)"
    )
    return Check("memory", "warning", finding, answer)


def _free_megabytes() -> float | None:
    """Return how much memory can be had, within the limit of a container, where Linux tells it."""
    with suppress(OSError):
        found = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
        free = int(found[1]) / 1e3 if found else math.inf
        with suppress(OSError, ValueError):  # ValueError: "max", which is no limit
            free = min(free, int(Path("/sys/fs/cgroup/memory.max").read_text()) / 1e6)
        return free if free < math.inf else None
    return None


def _loaded(loaded: LoadedModel, seconds: float, allowed: float) -> Check:
    scorer = loaded.scorer
    finding = (
        f"loads without the network in {seconds:.1f} s, as {scorer.precision} on {scorer.device}, "
        f"{scorer.megabytes:.1f} MB"
    )
    if seconds < allowed:
        return Check("load", "ok", finding)
    return Check("load", "warning", finding, f"rerank.load_timeout_s allows {allowed:g} s: raise it")


def _precision(model: str, choice: Choice) -> Check:
    measured = [
        f"{name} {found.seconds * 1000:.0f} ms"
        + (f" (agreement {found.agreement:.3f})" if found.agreement is not None else "")
        for name, found in choice.measured.items()
    ]
    table = f"; processor time of twenty short pairs: {', '.join(measured)}" if measured else ""
    finding = f"{choice.precision}: {choice.why}{table}"
    if choice.settled:
        return Check("precision", "ok", finding)
    answer = (
        f"run `rag-app doctor --model {model}` when the machine is calm: what it finds then is kept for all processes"
    )
    return Check("precision", "warning", finding, answer)


def _speed(model: str, scorer: Scorer, deadline_s: float) -> Check:
    try:
        seconds = _seconds(scorer)
    except Exception as error:  # noqa: BLE001 - whatever a library raises, it is a finding
        finding = f"{model} fails to score ({type(error).__name__}): {str(error).strip()}"
        answer = TROUBLESHOOTING["out of memory"] if ran_out_of_memory(error) else None
        return Check("speed", "problem", finding, answer)
    finding = f"{len(PASSAGES)} short pairs take {seconds * 1000:.0f} ms of a deadline of {deadline_s:g} s"
    if seconds <= deadline_s / 2:
        return Check("speed", "ok", finding)
    answer = (
        f"take fewer candidates (retrieval.fusion_top_k: 10), `rag-app models export {model} --int8`, a smaller model "
        "(rerank.model: base), or none (rerank.kind: lexical)"
    )
    return Check("speed", "warning", finding, answer)


def _seconds(scorer: Scorer) -> float:
    """Return what one question with twenty short passages takes, once what runs first has run."""
    pairs = sorted(scorer.tokenize(QUERIES[0], PASSAGES), key=lambda pair: len(pair["input_ids"]))
    taken = 0.0
    for _ in range(2):
        started = time.perf_counter()
        logits = [logit for at in range(0, len(pairs), _AT_ONCE) for logit in scorer.logits(pairs[at : at + _AT_ONCE])]
        taken = time.perf_counter() - started
        if not all(map(math.isfinite, logits)):
            raise ComponentError("its scores are no numbers, its weights are broken: replace them", "invalid scores")
    return taken
