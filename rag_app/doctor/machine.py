"""The packages and the network settings of this machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from rag_app.cross_encoder.models import INSTALL
from rag_app.doctor.findings import Check
from rag_app.errors import without_credentials

_CORE = ("rag-app", "llama-index-core")
_EXTRA = ("torch", "transformers", "onnxruntime")
_SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_PLACES = ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "RAG_APP_CACHE_DIR")


def packages_check(*, needed: bool) -> Check:
    """Tell the versions of what is installed; that the extra is not is a problem where it is `needed`."""
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


def network_check() -> Check:
    """Tell the proxies, mirrors, switches and cache folders that the environment sets, without their credentials."""
    names = (*_SWITCHES, *_PROXIES, *map(str.lower, _PROXIES), *_PLACES)
    found = [f"{name}={without_credentials(value)}" for name in names if (value := os.environ.get(name))]
    told = ", ".join(found) or "no proxy, mirror, offline switch or cache folder is set"
    return Check(
        "network", "ok", f"{told}; at run time nothing is downloaded, only `rag-app models pull` uses the network"
    )
