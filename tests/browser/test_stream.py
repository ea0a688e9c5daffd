"""An answer that comes word by word, and one that stops coming."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.test_page import QUESTION, answered, ask
from tests.served import WORDS, Serving, halfway, serving, slow_llm

WATCH = """() => {
    window.lengths = [];
    new MutationObserver(() => {
        const length = document.querySelector(".answer .text")?.textContent.length ?? 0;
        if (length && length !== window.lengths.at(-1)) window.lengths.push(length);
    }).observe(document.getElementById("log"), { childList: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def slow_server(server_settings: dict[str, str]) -> Iterator[Serving]:
    with slow_llm() as settings, serving({**server_settings, **settings}) as started:
        yield started


def test_words_appear_one_after_another_and_stay(open_page: OpenPage, slow_server: Serving, key: str) -> None:
    page = open_page(key, slow_server.url)
    page.evaluate(WATCH)
    ask(page, QUESTION)
    expect(page.get_by_role("button", name="توقف")).to_be_visible()
    answered(page)
    lengths = page.evaluate("window.lengths")
    assert len(lengths) >= 10
    assert lengths == sorted(lengths)
    assert page.locator(".answer .text").inner_text().split()[: len(WORDS)] == WORDS
    assert page.locator(".cite").all_inner_texts() == ["۱"]


def test_an_answer_can_be_stopped(open_page: OpenPage, slow_server: Serving, key: str) -> None:
    page = open_page(key, slow_server.url)
    with halfway():
        ask(page, QUESTION)
        expect(page.locator(".answer .text")).to_contain_text(WORDS[3])
        page.get_by_role("button", name="توقف").click()
        expect(page.locator(".note")).to_contain_text("متوقف شد")
    assert WORDS[-1] not in page.locator(".answer .text").inner_text()


def test_a_server_that_dies_leaves_what_came_and_can_be_asked_again(
    open_page: OpenPage, slow_server: Serving, key: str
) -> None:
    page = open_page(key, slow_server.url)
    with halfway():
        ask(page, QUESTION)
        expect(page.locator(".answer .text")).to_contain_text(WORDS[3])
        slow_server.kill()
    expect(page.locator(".note")).to_contain_text("پاسخ ناتمام است")
    assert page.locator(".answer .text").inner_text().startswith(WORDS[0])
    again = page.get_by_role("button", name="دوباره بپرس")
    again.click()
    expect(page.locator(".note")).to_contain_text("به سرور دسترسی نیست")
    slow_server.start()
    again.click()
    answered(page)
    assert WORDS[-1] in page.locator(".answer .text").inner_text()
    assert page.locator(".turn").count() == 1
