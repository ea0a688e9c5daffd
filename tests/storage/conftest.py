"""Databases as storage meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from rag_app import RagApp
from rag_app.storage import Database


@pytest.fixture
async def own_pool(app: RagApp) -> AsyncIterator[Database]:
    """A pool of our own on the application's database, as another process would have."""
    opened = Database(app.database.url.render_as_string(hide_password=False))
    yield opened
    await opened.aclose()


@pytest.fixture
def bare(new_database: Callable[[], str]) -> Iterator[Database]:
    """A database without a schema."""
    opened = Database(new_database())
    yield opened
    opened.engine.dispose()
