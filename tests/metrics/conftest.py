"""Reads the exposition, and runs Python in processes of its own, with metrics of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rag_app import metrics

Figures = dict[str, float]  # by name{label="value",...} as Prometheus writes it

PRELUDE = """
import json, os, sys, time
from rag_app import metrics
def run(**values):
    usual = dict(method="production_rag", primary_source="manual", seconds=0.1, deadline_s=2.0, tokens=100,
        scores=[("manual", 0.5)], stages={}, complexity="simple", error_type=None, empty_reason=None)
    metrics.retrieved(**{**usual, **values})
"""


def parsed(exposition: bytes) -> Figures:
    figures = {}
    for family in text_string_to_metric_families(exposition.decode()):
        for sample in family.samples:
            if sample.name.startswith("rag_") and not sample.name.endswith("_created"):
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                figures[f"{sample.name}{{{labels}}}"] = sample.value
    return figures


@pytest.fixture
def gained() -> Callable[[], Figures]:
    """Returns what was counted since the test began, without what did not change."""
    before = parsed(metrics.exposition())

    def since() -> Figures:
        now = parsed(metrics.exposition())
        return {name: value - before.get(name, 0.0) for name, value in now.items() if value != before.get(name, 0.0)}

    return since


@pytest.fixture
def run_python() -> Callable[..., Any]:
    """Runs code after `PRELUDE` in a new process and returns what it prints, read as JSON."""

    def run(code: str, multiprocess: Path | None = None) -> Any:
        with start_python(code, multiprocess) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return json.loads(out) if out else None

    return run


def start_python(code: str, multiprocess: Path | None = None) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    if multiprocess is not None:
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(multiprocess)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PRELUDE + code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
