"""The notebooks run from top to bottom, and are committed with what comes out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import INSTITUTE

SCRIPT = INSTITUTE.parent / "notebooks.py"
NOTEBOOKS = sorted((SCRIPT.parent.parent / "notebooks").glob("*.ipynb"))
RUN_AGAIN = "make notebooks writes them anew"


def cells(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8"))["cells"]


def shapes(cell: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What kinds of output a cell has."""
    return [(output["output_type"], sorted(output.get("data", {}))) for output in cell.get("outputs", ())]


def test_they_are_numbered_without_a_gap() -> None:
    assert [file.name[:3] for file in NOTEBOOKS] == [f"{number:02}_" for number in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 7


def test_they_run_and_are_committed_with_the_outputs_that_they_have(tmp_path: Path) -> None:
    environment = {**os.environ, "MPLCONFIGDIR": str(tmp_path / "matplotlib"), "IPYTHONDIR": str(tmp_path / "ipython")}
    command = [sys.executable, str(SCRIPT), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    for file in NOTEBOOKS:
        committed, now = cells(file), cells(tmp_path / file.name)
        assert [cell["source"] for cell in committed] == [cell["source"] for cell in now]
        for before, after in zip(committed, now, strict=True):
            assert shapes(before) == shapes(after), f"{file.name}: {before['source']}: {RUN_AGAIN}"
        numbers = [cell["execution_count"] for cell in committed if cell["cell_type"] == "code"]
        assert numbers == list(range(1, len(numbers) + 1)), f"{file.name}: {RUN_AGAIN}"
        assert sum(bool(shapes(cell)) for cell in committed) >= len(numbers) / 2


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_what_is_committed_tells_nothing_of_the_machine(file: Path) -> None:
    document = json.loads(file.read_text("utf-8"))
    assert set(document["metadata"]) == {"kernelspec", "language_info"}
    assert set(document["metadata"]["language_info"]) == {"name"}
    outputs = [output for cell in document["cells"] for output in cell.get("outputs", ())]
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert all(cell["metadata"] == {} for cell in document["cells"])
    images = ("image/png",)
    shown = json.dumps(
        [{**o, "data": {k: v for k, v in o.get("data", {}).items() if k not in images}} for o in outputs]
    )
    assert not re.search(r"/tmp|/home/|/root/|/Users/|site-packages|0x[0-9a-f]{6}", shown)
    assert len(file.read_bytes()) < 300_000
