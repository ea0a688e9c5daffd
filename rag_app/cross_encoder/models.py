"""Where models come from: an alias, the id of a model on the Hugging Face hub, or a local folder."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import platformdirs

from rag_app.errors import ComponentError, unknown_name, without_credentials

ALIASES = {
    "base": "BAAI/bge-reranker-base",
    "large": "BAAI/bge-reranker-large",
    "multilingual": "BAAI/bge-reranker-v2-m3",
}
INSTALL = "the cross-encoder needs more packages: pip install 'rag-app[cross-encoder]'"
INT8_FILE = "model_int8.onnx"
_HUB_ID = re.compile(r"(?!.*(?:--|\.\.))(?=.{1,96}$)\w[\w.-]*/(?:[\w.-]*\w)", re.ASCII)
FILES = ("*.json", "*.txt", "*.model", "*.safetensors")  # of a model on the hub: never pickled weights, never code


@dataclass(frozen=True)
class CachedModel:
    """A model in the cache of the hub."""

    model: str
    folder: Path
    megabytes: float


def hub_id(model: str) -> str:
    """Return the id that an alias stands for, and any other name unchanged."""
    return ALIASES.get(model, model)


def find_model(model: str) -> Path:
    """Return the folder that holds a model's files, from this machine alone: nothing is ever downloaded here.

    Args:
        model: an alias ("base", "large", "multilingual"), the id of a model on the hub, or a folder.

    Raises:
        ComponentError: it is not on this machine; the message says how to get it.
    """
    folder = Path(hub_id(model)).expanduser()
    if model and folder.is_dir():
        return folder
    name = _id_on_the_hub(model)
    snapshot = _import_hub().try_to_load_from_cache(name, "config.json")
    if not isinstance(snapshot, str):
        raise ComponentError(
            f"the model {name!r} is not on this machine ({hub_cache()}): run `rag-app models pull {model}`; behind a "
            "proxy, set HTTPS_PROXY; from a mirror, set HF_ENDPOINT; without a network, copy its folder here and "
            "name that folder as the model",
            "model not found",
        )
    return Path(snapshot).parent


def pull_model(model: str) -> Path:
    """Download a model's files into the cache of the hub, and return their folder.

    Raises:
        ComponentError: the hub can not be reached or has no such model, or downloads are switched off.
    """
    hub = _import_hub()
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    name = _id_on_the_hub(model)
    try:
        folder = Path(hub.snapshot_download(name, allow_patterns=list(FILES)))
    except GatedRepoError as error:
        raise ComponentError(
            f"the hub gives {name!r} only to accounts that were granted it: set HF_TOKEN", "download failed"
        ) from error
    except RepositoryNotFoundError as error:
        raise ComponentError(
            f"the hub has no model {name!r}; if it is private, set HF_TOKEN", "model not found"
        ) from error
    except Exception as error:  # the HTTP client under the hub's library, and its errors, change with its version
        switched_off = "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, which switches downloads off: unset it"
        cause = switched_off if constants.HF_HUB_OFFLINE else _first_line(error)
        raise ComponentError(
            without_credentials(f"{name!r} can not be downloaded from {constants.ENDPOINT}: {cause.rstrip('.')}. ")
            + "Behind a proxy, set HTTPS_PROXY; from a mirror, set HF_ENDPOINT; without a network, copy the model's "
            "folder here and name that folder as the model",
            "download failed",
        ) from error
    if not any(folder.glob("*.safetensors")):
        raise ComponentError(
            f"{name!r} has no weights in safetensors, and no others are read: take another model", "wrong format"
        )
    return folder


def cached_models() -> list[CachedModel]:
    """Return the models in the cache of the hub that have a configuration file, by name."""
    hub = _import_hub()
    repos = hub.scan_cache_dir(hub_cache()).repos if hub_cache().is_dir() else ()
    found = [
        CachedModel(repo.repo_id, revision.snapshot_path, revision.size_on_disk / 1e6)
        for repo in repos
        for revision in repo.revisions
        if repo.repo_type == "model" and (revision.snapshot_path / "config.json").exists()
    ]
    return sorted(found, key=lambda cached: cached.model)


def megabytes(folder: Path) -> float:
    """Return what the files of a folder take."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 1e6


def hub_cache() -> Path:
    """Return the folder in which the hub's models are cached; HF_HUB_CACHE or HF_HOME moves it."""
    _import_hub()
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def own_cache() -> Path:
    """Return the folder for exported models and probes; RAG_APP_CACHE_DIR moves it."""
    return Path(os.environ.get("RAG_APP_CACHE_DIR") or platformdirs.user_cache_dir("rag_app")).expanduser()


def fingerprint(folder: Path) -> str:
    """Return a name for the very files of a model: it changes when one of them is replaced."""
    entries = sorted((file.name, file.stat()) for file in folder.iterdir() if file.is_file())
    told = ";".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in entries)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def is_int8_export(folder: Path) -> bool:
    """Tell whether a folder holds an int8 export of a model."""
    return (folder / INT8_FILE).exists()


def int8_folder(folder: Path) -> Path:
    """Return the folder that holds, or would hold, the int8 export of a model."""
    return folder if is_int8_export(folder) else own_cache() / "int8" / fingerprint(folder)


def _id_on_the_hub(model: str) -> str:
    name = hub_id(model)
    if not _HUB_ID.fullmatch(name):
        raise ComponentError(
            unknown_name("model", model, ALIASES) + ", a folder that exists, or the id of a model on the hub",
            "model not found",
        )
    return name


def _import_hub() -> ModuleType:
    try:
        return import_module("huggingface_hub")
    except ImportError as error:
        raise ComponentError(INSTALL, "package missing") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].removeprefix("Got: ") or type(error).__name__
