"""The measurement under load runs, and finds no error where a few clients ask."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from rag_app import RagApp
from tests.conftest import SAMPLE_TENANT
from tests.server.running import running

FOLDER = Path(__file__).parent.parent.parent / "benchmarks" / "server"

Load = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import a script by name; it is forgotten after the test, as its name may be another module's too."""
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    sys.modules.pop("load", None)


def test_a_few_clients_get_answers_of_every_kind(app: RagApp, script: Load) -> None:
    load = script("load")
    before = {document.doc_id for document in app.documents(tenant=SAMPLE_TENANT, limit=1000).documents}
    with running(app) as server:
        figures = asyncio.run(load.load(server.url, os.getpid(), [server.key(SAMPLE_TENANT)], clients=3, seconds=2))
    try:
        assert not figures.errors
        assert {"retrieve", "chat"} <= set(figures.ms)
        shown = load.table(figures, 2)
        assert "errors: none" in shown
        assert shown.splitlines()[0].split()[:2] == ["answered", "p50"]
        assert figures.megabytes
    finally:
        app.delete_source("load", tenant=SAMPLE_TENANT)
    assert {document.doc_id for document in app.documents(tenant=SAMPLE_TENANT, limit=1000).documents} == before
