"""Finds Prometheus and its tool; without them the tests are skipped, or fail where REQUIRE_SERVERS is 1."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


def installed(program: str) -> str:
    """Return the path of a program."""
    if found := shutil.which(program):
        return found
    missing = f"{program} is not installed (Debian: apt-get install prometheus)"
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def promtool() -> str:
    return installed("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    return installed("prometheus")
