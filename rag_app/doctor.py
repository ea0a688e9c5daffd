"""What keeps retrieval from working well on this machine, and what to do about it."""

from __future__ import annotations

import asyncio
import math
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from sqlalchemy.exc import DBAPIError

from rag_app.config import Settings
from rag_app.cross_encoder import Choice, LoadedModel, ModelSpec, find_model, hub_cache, int8_folder, load_model
from rag_app.cross_encoder.loading import failures_explained, ran_out_of_memory
from rag_app.cross_encoder.models import INSTALL, INT8_FILE, is_int8_export, megabytes
from rag_app.cross_encoder.probe_pairs import PASSAGES, QUERIES
from rag_app.cross_encoder.scorer import Scorer
from rag_app.errors import (
    ComponentError,
    ConfigurationError,
    InvalidInputError,
    RagAppError,
    unknown_name,
    without_credentials,
)
from rag_app.factory import open_configured_llm, open_database
from rag_app.llms import aclose_llm
from rag_app.schema import TenantSnapshot, checked_name
from rag_app.storage import Database, TenantCatalog, schema_version
from rag_app.storage.server_version import NEEDED, ServerVersions, read_versions

State = Literal["ok", "warning", "problem"]

TROUBLESHOOTING = {
    "the model does not download": "`rag-app models pull base` downloads it once; later nothing is downloaded. Behind "
    "a proxy, set HTTPS_PROXY; from a mirror, set HF_ENDPOINT. Without a network, run `rag-app models path base` where "
    "it was downloaded, copy that folder here, and name the copy as rerank.model.",
    "out of memory": "Take the smallest model (rerank.model: base), fewer candidates (retrieval.fusion_top_k: 10) and "
    "fewer processes. `rag-app models export base --int8`, on a machine with five times the model's size to spare, "
    "makes a copy of a quarter of that size; name that folder as rerank.model. rerank.kind: lexical needs no model.",
    "latency over 3 s": "deadline_s bounds every request, and `rag-app retrieve` shows what each stage took. Take "
    "fewer candidates (retrieval.fusion_top_k: 10) and fewer chunks (rerank.top_k: 5), export the model to int8, or "
    "switch it off (rerank.kind: lexical).",
    "no chunks retrieved": "`rag-app doctor --tenant T --source S` tells whether there are documents under these "
    "names, `rag-app ingest FOLDER --tenant T` stores some. `rag-app retrieve QUESTION --tenant T --explain` tells why "
    "each chunk was dropped; where none fits, raise context.primary_budget.",
}

_CORE = ("rag-app", "llama-index-core")
_EXTRA = ("torch", "transformers", "onnxruntime")
_SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_PLACES = ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "RAG_APP_CACHE_DIR")
_AT_ONCE = 4  # pairs


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        answer: what to do about it; None where there is nothing to do, or where the finding says it.
    """

    name: str
    state: State
    finding: str
    answer: str | None = None


def examine(
    settings: Settings, *, model: str | None = None, tenant: str | None = None, source: str | None = None
) -> Iterator[Check]:
    """Look at packages, network settings, model and database, and yield each finding when it is there.

    The model is loaded for real. The database is only read; an embedded one is started.

    Args:
        settings: what the application would be opened with.
        model: the model to look at; else the configured one, if a cross-encoder reranks.
        tenant: whose documents to look at.
        source: a source that this tenant should have.

    Raises:
        InvalidInputError: `tenant` or `source` can not be a name, or a source is named without a tenant.
    """
    if tenant is not None:
        checked_name("tenant", tenant)
    elif source is not None:
        raise InvalidInputError("a source belongs to a tenant: name the tenant too")
    yield _packages(needed=settings.rerank.kind == "cross_encoder")
    yield _network()
    if model is None and settings.rerank.kind != "cross_encoder":
        yield Check("model", "ok", f"rerank.kind is {settings.rerank.kind}, which needs no model")
    else:
        yield from _model(settings, model or settings.rerank.model)
    yield _llm(settings)
    yield from _database(settings, tenant, source)


def _llm(settings: Settings) -> Check:
    """Open the LLM without asking it anything."""
    options = settings.llm
    try:
        llm = open_configured_llm(settings)
    except ConfigurationError as error:
        answer = "retrieval needs no LLM; for answers mend that, or set llm.kind: extractive, which needs no key"
        return Check("llm", "warning", str(error), answer)
    asyncio.run(aclose_llm(llm))
    if options.kind == "extractive":
        return Check("llm", "ok", "llm.kind is extractive, which quotes the chunks and needs neither key nor network")
    return Check(
        "llm", "ok", f"llm.kind is {options.kind}, model {options.model}; whether it answers: `rag-app verify`"
    )


def _packages(*, needed: bool) -> Check:
    versions = {name: _version(name) for name in (*_CORE, *_EXTRA)}
    told = ", ".join(f"{name} {found or 'missing'}" for name, found in versions.items())
    finding = f"python {platform.python_version()}, {told}"
    if all(versions.values()):
        return Check("packages", "ok", finding)
    return Check("packages", "problem" if needed else "warning", finding, INSTALL)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _network() -> Check:
    names = (*_SWITCHES, *_PROXIES, *map(str.lower, _PROXIES), *_PLACES)
    found = [f"{name}={without_credentials(value)}" for name in names if (value := os.environ.get(name))]
    told = ", ".join(found) or "no proxy, mirror, offline switch or cache folder is set"
    return Check(
        "network", "ok", f"{told}; at run time nothing is downloaded, only `rag-app models pull` uses the network"
    )


def _model(settings: Settings, model: str) -> Iterator[Check]:
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
    yield Check("precision", "ok", _told(loaded.choice))
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


def _told(choice: Choice) -> str:
    measured = [
        f"{name} {found.seconds * 1000:.0f} ms"
        + (f" (agreement {found.agreement:.3f})" if found.agreement is not None else "")
        for name, found in choice.measured.items()
    ]
    table = f"; twenty short pairs: {', '.join(measured)}" if measured else ""
    return f"{choice.precision}: {choice.why}{table}"


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


def _database(settings: Settings, tenant: str | None, source: str | None) -> Iterator[Check]:
    try:
        database = open_database(settings)
    except RagAppError as error:
        yield Check("database", "problem", str(error))
        return
    try:
        with database.transaction() as connection:
            versions = read_versions(connection)
        found = schema_version.current(database)
        yield Check("database", "ok", _place(settings, database))
        yield _versions(versions)
        yield _schema(found, auto_upgrade=settings.database.auto_upgrade)
        if tenant is not None:
            yield _documents(_snapshot(database, tenant, found), source)
    except (RagAppError, DBAPIError) as error:
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        yield Check("database", "problem", cause.strip().partition("\n")[0])
    finally:
        database.engine.dispose()


def _place(settings: Settings, database: Database) -> str:
    if settings.database.url is None:
        return f"the embedded PostgreSQL in {settings.data_dir} answers"
    url = database.url.difference_update_query(["password", "sslpassword"])
    return f"PostgreSQL at {url.render_as_string(hide_password=True)} answers"


def _versions(found: ServerVersions) -> Check:
    finding = f"PostgreSQL {found.postgres}, pgvector {found.installed or found.available or 'missing'}"
    if (lack := found.lack) is not None:
        return Check("versions", "problem", f"{finding}; {NEEDED}", lack.answer)
    if found.installed is None:
        finding += " is there, and `rag-app db upgrade` enables it"
    return Check("versions", "ok", finding)


def _schema(found: str | None, *, auto_upgrade: bool) -> Check:
    latest = schema_version.LATEST
    if found == latest:
        return Check("schema", "ok", f"at {latest}, the latest")
    finding = f"at {found}, this package needs {latest}" if found else f"there is none, this package needs {latest}"
    if found is not None and found > latest:
        return Check("schema", "problem", finding, "install a newer rag-app")
    if auto_upgrade:
        return Check("schema", "ok", f"{finding}; opening the application brings it there")
    return Check("schema", "problem", finding, "run: rag-app db upgrade")


def _snapshot(database: Database, tenant: str, version: str | None) -> TenantSnapshot:
    async def read() -> TenantSnapshot:
        try:
            return await TenantCatalog(database).asnapshot(tenant)
        finally:
            await database.aclose()

    return asyncio.run(read()) if version is not None else TenantSnapshot(tenant, 0, {}, {})


def _documents(stored: TenantSnapshot, source: str | None) -> Check:
    tenant, documents = stored.tenant, stored.documents
    if not documents:
        why = "nothing was ever ingested for it" if stored.generation == 0 else "all were deleted"
        answer = f"run: rag-app ingest FOLDER --tenant {tenant}; or look at the tenant's name, which must be the same"
        return Check("documents", "problem", f"tenant {tenant!r} has no documents: {why}", answer)
    if source is not None and source not in documents:
        answer = "ask for one of these, or for none to search all"
        return Check("documents", "problem", unknown_name("source", source, documents), answer)
    told = ", ".join(f"{count} of {name}" for name, count in documents.items())
    return Check("documents", "ok", f"tenant {tenant!r} has {sum(documents.values())} documents: {told}")
