"""Debian's Chromium before a real server with the sample knowledge base."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from rag_app import RagApp
from rag_app.storage import KeyStore
from tests.conftest import SAMPLE_TENANT
from tests.served import Serving, serving
from tests.servers import needed

OpenPage = Callable[..., Page]
WAIT_MS = 20_000  # on a busy machine
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed with this folder's tests: while Playwright runs, no test of a coroutine could."""
    chromium = needed("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server_settings(app: RagApp) -> dict[str, str]:
    url = app.settings.database.url
    assert url is not None
    patient = {"RAG_APP_DEADLINE_S": "30", "RAG_APP_RETRIEVAL__LEG_TIMEOUT_S": "20"}  # as the application of the tests
    return {"DATABASE_URL": url.get_secret_value(), **patient}


@pytest.fixture(scope="session")
def server(server_settings: dict[str, str]) -> Iterator[Serving]:
    with serving(server_settings) as started:
        yield started


@pytest.fixture(scope="session")
def new_key(app: RagApp) -> Callable[[str], str]:
    """Makes a key of a tenant."""
    numbers = count()
    keys = KeyStore(app.database)
    return lambda tenant: keys.create(tenant, f"browser-{next(numbers)}")[1]


@pytest.fixture
def key(new_key: Callable[[str], str]) -> str:
    """A key of its own for each test, so that none uses up another's rate."""
    return new_key(SAMPLE_TENANT)


@pytest.fixture
def open_page(browser: Browser, server: Serving) -> Iterator[OpenPage]:
    """Opens the page, with options of the browser's context, and enters a key if one is given.

    A script that fails, and anything that the content security policy forbids, fails the test.
    """
    contexts, wrong = [], []

    def open_(key: str | None = None, url: str = server.url, **options: object) -> Page:
        context = browser.new_context(locale="fa-IR", **options)  # type: ignore[arg-type]
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: "Content Security Policy" in line.text and wrong.append(line.text))
        page.goto(url)
        if key is not None:
            page.get_by_label("کلید", exact=True).fill(key)
            page.get_by_role("button", name="ورود").click()
            page.locator("#empty h2").wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []
