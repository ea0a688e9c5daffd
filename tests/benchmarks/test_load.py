"""The measurement under load runs, and finds no error where a few clients ask."""

from __future__ import annotations

import asyncio
import os

from rag_app import RagApp
from tests.benchmarks.conftest import Load
from tests.conftest import SAMPLE_TENANT
from tests.server.running import running

FOLDERS = ("server",)


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
