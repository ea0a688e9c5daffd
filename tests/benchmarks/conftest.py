"""The benchmark scripts, which are no package: each imports its neighbours by their names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"

Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def script(request: pytest.FixtureRequest) -> Iterator[Load]:
    """Import a script by name, of the folders of `benchmarks/` that the module names in `FOLDERS`.

    All are forgotten after the module, as their names may be other modules' too.
    """
    folders = [BENCHMARKS / name for name in request.module.FOLDERS]
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders:
            patch.syspath_prepend(folder)
        yield importlib.import_module
    for folder in folders:
        for file in folder.glob("*.py"):
            sys.modules.pop(file.stem, None)
