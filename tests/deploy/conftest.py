"""Prometheus and its tool, as Debian has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import needed

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


@pytest.fixture(scope="session")
def promtool() -> str:
    return needed("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    return needed("prometheus")
