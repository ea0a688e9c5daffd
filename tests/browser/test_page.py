"""The page as a person uses it: asked, read, opened, typed on."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from rag_app import RagApp
from tests.browser.conftest import OpenPage
from tests.served import Serving

QUESTION = "شهریه قسطی هم میشه؟"


def ask(page: Page, question: str) -> None:
    page.get_by_label("پرسش شما").fill(question)
    page.keyboard.press("Enter")


def answered(page: Page) -> None:
    expect(page.locator(".turn").last.locator(".foot")).to_be_visible()


def shown_number(text: str) -> float:
    """Return the number before its unit, in Persian digits."""
    return float(text.split()[0].replace("٬", "").replace("٫", "."))


def test_an_answer_cites_sources_that_open_at_the_quoted_place(open_page: OpenPage, key: str) -> None:
    page = open_page(key)
    ask(page, QUESTION)
    answered(page)
    assert "شهریه" in page.locator(".answer .text").inner_text()
    citation = page.locator(".cite").first
    citation.click()
    source = page.get_by_role("dialog")
    expect(source).to_be_visible()
    quoted = source.locator("mark").first.inner_text()
    assert len(quoted.split()) >= 4
    assert quoted in page.locator(".answer .text").inner_text()
    assert source.locator("h2").inner_text().strip()
    page.keyboard.press("Escape")
    expect(source).to_be_hidden()
    assert citation.evaluate("element => element === document.activeElement")


def test_the_panel_shows_all_four_stages_of_the_last_answer(open_page: OpenPage, key: str) -> None:
    page = open_page(key)
    ask(page, "sharayete morkhasi chie?")
    answered(page)
    panel = page.get_by_role("region", name="مراحل آخرین پاسخ")
    assert panel.locator(".times dd").evaluate_all("all => all.map(one => one.dataset.stage)") == [
        "query_analysis", "retrieval", "rerank", "context",
    ]  # fmt: skip
    ms = [shown_number(text) for text in panel.locator(".times dd").all_inner_texts()]
    shares = panel.locator(".times .fill").evaluate_all(
        "all => all.map(one => one.offsetWidth / one.parentNode.offsetWidth)"
    )
    expected = [one / max(ms) for one in ms]
    assert shares == pytest.approx(expected, abs=0.06)  # numbers are rounded, and a bar has at least 3 pixels
    analysis, retrieval, rerank, context = (panel.locator(f"[data-stage-card='{number}']") for number in range(1, 5))
    assert "فینگلیش" in analysis.inner_text()
    assert "مرخصی" in analysis.locator(".meant").all_inner_texts()  # what `morkhasi` was taken for
    rows = retrieval.locator("tbody tr")
    assert rows.count() == 8
    retrieval.get_by_role("button").click()
    assert rows.count() > 15
    assert len(rows.first.locator("td").all_inner_texts()) == 3
    assert "واژگانی" in rerank.inner_text()
    assert rerank.locator("li").count() == 8
    chunks = context.locator(".context li").count()
    assert 1 <= chunks <= 8
    assert context.locator(".dropped").count() > 0
    context.locator(".context button").nth(chunks - 1).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_follow_up_is_asked_with_what_came_before(open_page: OpenPage, key: str) -> None:
    page = open_page(key)
    ask(page, "بورسیه دارین؟")
    answered(page)
    with page.expect_request("**/v1/chat") as sent:
        ask(page, "شرایطش چیه؟")
    assert [message["role"] for message in sent.value.post_data_json["history"]] == ["user", "assistant"]
    answered(page)
    assert page.locator(".turn").count() == 2


def test_what_is_uploaded_can_be_asked_about_and_is_never_html(
    open_page: OpenPage, new_key: Callable[[str], str], tenant: str
) -> None:
    page = open_page(new_key(tenant))
    expect(page.get_by_role("heading", name="هنوز سندی نیست")).to_be_visible()
    page.get_by_role("button", name="افزودن سند").click()
    hostile = "گارانتی کتونی زنیت ۱۸ ماه است <img src=x onerror='document.title=1'> و <b>تعویض</b> دارد."
    page.locator("#files").set_input_files(
        [
            {"name": "گارانتی.md", "mimeType": "text/markdown", "buffer": f"# گارانتی\n\n{hostile}".encode()},
            {"name": "picture.xyz", "mimeType": "application/octet-stream", "buffer": b"\x00\x01"},
        ]
    )
    page.get_by_label("نام منبع").fill("manual")
    page.get_by_role("button", name="بارگذاری").click()
    state = page.locator("#upload-state")
    expect(state).to_contain_text("۱ سند تازه، ۱ کنار گذاشته")
    expect(state.locator(".skipped")).to_contain_text("picture.xyz")
    documents = page.locator("#document-list li")
    expect(documents).to_have_count(1)
    expect(page.locator("#source-filter option")).to_have_count(2)
    ask(page, "گارانتی کتونی زنیت چند ماهه؟")
    answered(page)
    page.locator(".cite").first.click()
    content = page.get_by_role("dialog").locator(".content")
    expect(content).to_contain_text("<img src=x onerror='document.title=1'>")
    assert page.locator(".answer img, .answer b, .content img, .content b").count() == 0
    page.keyboard.press("Escape")
    page.get_by_role("button", name="حذف").click()
    page.get_by_role("button", name="حذف شود").click()
    expect(documents).to_have_count(0)
    expect(page.locator("#whoami")).to_contain_text("بدون سند")


def test_a_wrong_key_is_told_and_is_never_in_the_address(open_page: OpenPage, key: str) -> None:
    page = open_page()
    field = page.get_by_label("کلید", exact=True)
    field.fill("no-such-key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("این کلید پذیرفته نشد.")
    field.fill(key)
    page.keyboard.press("Enter")
    expect(page.locator("#empty h2")).to_be_visible()
    page.reload()  # the tab remembers
    expect(page.locator("#empty h2")).to_be_visible()
    assert key not in page.url
    assert page.evaluate("Object.values(localStorage).join()").find(key) == -1


def test_a_key_that_is_revoked_while_one_chats_is_asked_for_again(open_page: OpenPage, app: RagApp, key: str) -> None:
    page = open_page(key)
    page.evaluate("sessionStorage.setItem('rag_app.key', 'revoked')")
    ask(page, QUESTION)
    expect(page.get_by_role("alert")).to_have_text("این کلید پذیرفته نشد.")


def test_a_busy_server_is_waited_for_and_asked_again(open_page: OpenPage, server: Serving, key: str) -> None:
    page = open_page(key)

    def refused(route: Route) -> None:
        """Pass the question on when the key's rate is used up, whatever of it comes back meanwhile."""
        while True:
            with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as client:
                while client.get("/v1/models").status_code != 429:
                    pass
            if (answer := route.fetch()).status == 429:
                break
        route.fulfill(response=answer)

    page.route("**/v1/chat", refused, times=1)
    ask(page, QUESTION)
    expect(page.locator(".phase")).to_contain_text("سرور شلوغ است")
    answered(page)


def test_enter_sends_and_shift_enter_begins_a_line(open_page: OpenPage, key: str) -> None:
    page = open_page(key)
    question = page.get_by_label("پرسش شما")
    assert question.evaluate("element => element === document.activeElement")
    page.keyboard.press("Enter")  # of nothing, sends nothing
    page.keyboard.type("شهریه")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("قسطی هم میشه؟")
    assert question.input_value() == "شهریه\nقسطی هم میشه؟"
    page.keyboard.press("Enter")
    assert question.input_value() == ""
    answered(page)
    assert page.locator(".turn").count() == 1


@pytest.mark.parametrize("width", [360, 1360])
def test_everything_can_be_reached_by_its_name(open_page: OpenPage, key: str, width: int) -> None:
    page = open_page(key, viewport={"width": width, "height": 800})
    ask(page, QUESTION)
    answered(page)
    nameless = """[...document.querySelectorAll("button, input, textarea, select")].filter((one) => one.offsetParent)
        .filter((one) => !(one.ariaLabel || one.innerText || one.labels?.length)).map((one) => one.outerHTML)"""
    assert page.evaluate(nameless) == []
