from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from rag_app import RagApp
from tests.server.running import Running, running

RECORDS = [
    {"id": "m1", "title": "ارسال", "text": "ارسال سفارش تا سه روز کاری طول می‌کشد.", "source": "manual"},
    {"id": "f1", "title": "مرجوعی", "text": "کالا تا هفت روز پس از تحویل مرجوع می‌شود.", "source": "faq"},
]


@pytest.fixture(scope="package")
def server(new_database: Callable[[], str]) -> Iterator[Running]:
    """A server whose limits no test reaches by accident."""
    with (
        RagApp.from_config(
            database={"url": new_database()},
            deadline_s=30,
            retrieval={"leg_timeout_s": 20, "filter_keys": ["brand"]},
            server={"requests_per_minute": 1_000_000, "max_in_flight": 16, "max_upload_mb": 2},
        ) as app,
        running(app) as started,
    ):
        yield started


@pytest.fixture
def client(server: Running, tenant: str) -> Iterator[httpx.Client]:
    """A client of the test's own tenant, which has two documents."""
    server.app.ingest(RECORDS, tenant=tenant)
    with server.client(tenant) as opened:
        yield opened
