"""The benchmark scripts, which are no package: each imports its neighbours by their names."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PERSIAN = Path(__file__).parent.parent.parent / "benchmarks" / "persian"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import a script by name; it is forgotten after the test, as its name may be another module's too."""
    monkeypatch.syspath_prepend(PERSIAN)
    yield importlib.import_module
    for file in PERSIAN.glob("*.py"):
        sys.modules.pop(file.stem, None)
