import asyncio

import pytest

from rag_app import RagApp
from rag_app.errors import InvalidInputError

NOTE = {"id": "m1", "title": "ارسال", "text": "ارسال سفارش تا سه روز کاری طول می‌کشد.", "source": "manual"}


def test_what_was_ingested_is_found(app: RagApp, tenant: str) -> None:
    report = app.ingest([NOTE], tenant=tenant)
    result = app.retrieve("ارسال چند روز طول میکشه؟", tenant=tenant)
    assert (report.added, report.chunks, report.skipped) == (1, 1, ())
    assert [node.node.metadata["doc_id"] for node in result.nodes] == ["m1"]
    assert NOTE["text"] in result.context
    assert result.reason is None
    assert not result.degraded


def test_ingesting_the_same_again_changes_nothing(app: RagApp, tenant: str) -> None:
    app.ingest([NOTE], tenant=tenant)
    report = app.ingest([NOTE], tenant=tenant)
    assert (report.added, report.updated, report.unchanged, report.chunks) == (0, 0, 1, 0)
