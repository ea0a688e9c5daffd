"""How the page looks: right to left, in light and dark, on a phone and on a wide screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import FloatRect, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_page import QUESTION, answered, ask

PHONE = {"width": 360, "height": 740}
WIDE = {"width": 1360, "height": 860}
CONTRAST = """selector => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => {
        const [r, g, b] = numbers(colour).map((part) => part / 255)
            .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const element = document.querySelector(selector);
    let behind = element;
    while ((numbers(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(luminance);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""
FIRST_AND_LAST = """element => {
    const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode();
    const place = (at) => {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        return range.getBoundingClientRect();
    };
    return [place(0).left, place(text.length - 1).left];
}"""


def no_wider_than_the_screen(page: Page) -> None:
    wider = """[document.documentElement, ...document.querySelectorAll(".panel, .log, .sheet")]
        .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.id || one.className)"""
    assert page.evaluate(wider) == []


def box(page: Page, selector: str) -> FloatRect:
    found = page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return found


def test_persian_is_written_from_right_to_left(open_page: OpenPage, key: str) -> None:
    page = open_page(key, viewport=WIDE)
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    ask(page, QUESTION)
    answered(page)
    for place in (".brand h1", ".asked", ".stage h3"):
        first, last = page.locator(place).first.evaluate(FIRST_AND_LAST)
        assert first > last, place
    assert box(page, "#stages")["x"] < box(page, "main.chat")["x"]
    assert box(page, "#send")["x"] < box(page, "#question")["x"]
    bar, fill = box(page, ".times .bar"), box(page, ".times .fill")
    assert bar["x"] + bar["width"] == pytest.approx(fill["x"] + fill["width"], abs=1)  # it grows from the right


def test_latin_text_keeps_its_own_direction(open_page: OpenPage, key: str) -> None:
    page = open_page(key)
    ask(page, "Do you offer corporate training?")
    answered(page)
    first, last = page.locator(".asked").evaluate(FIRST_AND_LAST)
    assert first < last
    assert page.locator(".asked").evaluate("element => getComputedStyle(element).direction") == "ltr"


def test_persian_letters_are_there_and_join(open_page: OpenPage) -> None:
    page = open_page()
    joined, apart, missing = page.evaluate(
        """() => {
            const context = document.createElement("canvas").getContext("2d");
            context.font = `100px ${getComputedStyle(document.body).fontFamily}`;
            return ["سلام", "س\\u200cل\\u200cا\\u200cم", "\\uffff"].map((text) => context.measureText(text).width);
        }"""
    )
    assert 0 < joined < apart * 0.95
    assert joined != pytest.approx(4 * missing)


@pytest.mark.parametrize("screen", [PHONE, WIDE], ids=["phone", "wide"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_all_can_be_read(
    open_page: OpenPage, key: str, screen: dict[str, int], scheme: str
) -> None:
    page = open_page(key, viewport=screen, color_scheme=scheme)
    no_wider_than_the_screen(page)
    ask(page, QUESTION)
    answered(page)
    no_wider_than_the_screen(page)
    for text in (".asked", ".answer .text p", ".foot .muted", ".cite", ".source-chip .muted"):
        assert page.evaluate(CONTRAST, text) >= 4.5, text
    page.locator(".cite").first.click()
    no_wider_than_the_screen(page)
    assert page.evaluate(CONTRAST, "mark") >= 4.5
    page.keyboard.press("Escape")
    views = page.get_by_role("navigation")
    views.get_by_role("button", name="مراحل").click()
    expect(page.locator("#stages")).to_be_visible()
    no_wider_than_the_screen(page)
    for text in (".facts dt", ".candidates small", ".step", ".number"):
        assert page.evaluate(CONTRAST, text) >= (3 if text == ".number" else 4.5), text
    views.get_by_role("button", name="اسناد").click()
    expect(page.locator("#document-list li").first).to_be_visible()
    no_wider_than_the_screen(page)


def test_a_phone_shows_one_part_at_a_time(open_page: OpenPage, key: str) -> None:
    page = open_page(key, viewport=PHONE)
    expect(page.locator("main.chat")).to_be_visible()
    expect(page.locator("#stages")).to_be_hidden()
    ask(page, QUESTION)
    answered(page)
    page.get_by_role("button", name="مراحل این پاسخ").click()
    expect(page.locator("#stages")).to_be_visible()
    expect(page.locator("main.chat")).to_be_hidden()


def test_the_theme_follows_the_system_until_one_is_chosen(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")
    root, ground = page.locator("html"), "getComputedStyle(document.body).backgroundColor"
    expect(root).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-theme", "light")
    assert page.evaluate(ground) != dark
    page.get_by_role("button", name="روشن یا تیره").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    assert page.evaluate(ground) == dark
