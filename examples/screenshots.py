"""Pictures of the web page for the documentation, from a real server over the sample knowledge base."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright

from rag_app import RagApp
from rag_app.storage import KeyStore

ROOT = Path(__file__).parent.parent
TENANT = "avanema"
COMMAND = [sys.executable, "-c", "from rag_app.cli import main; main()"]


def main(docs: Path, chromium: str) -> None:
    """Write page-light.png, page-dark.png, page-phone.png and page-stages.png to `docs`."""
    docs.mkdir(exist_ok=True)
    with (
        TemporaryDirectory(prefix="screenshots-") as folder,
        serving(Path(folder)) as (url, key),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        page = opened(browser, url, key, width=1360, height=850)
        ask(page, "آدرس شعبه کرج کجاست؟")
        ask(page, "بورسیه دارین؟")
        page.screenshot(path=docs / "page-light.png")

        page = opened(browser, url, key, width=1360, height=850, scheme="dark")
        ask(page, "انصراق بدم پولم برمیگرده؟")
        page.locator(".cite").first.click()
        page.wait_for_timeout(400)  # the drawer slides in
        page.screenshot(path=docs / "page-dark.png")

        page = opened(browser, url, key, width=390, height=780, scale=2)
        ask(page, "shahriye ghesti mishe?")
        ask(page, "mishe vasate term enseraf bedam?")
        page.screenshot(path=docs / "page-phone.png")

        page = opened(browser, url, key, width=1360, height=850)
        ask(page, "بورصیه دارین؟")
        page.locator("#question").blur()
        panel = page.locator("#stages")
        page.set_viewport_size({"width": 1360, "height": 130 + int(panel.evaluate("panel => panel.scrollHeight"))})
        panel.screenshot(path=docs / "page-stages.png")


@contextmanager
def serving(data_dir: Path) -> Iterator[tuple[str, str]]:
    """Serve the sample as a tenant; give the address and a key of it."""
    with RagApp.from_config(data_dir=data_dir) as app:
        app.ingest(ROOT / "examples" / "institute" / "documents", tenant=TENANT)
        _, key = KeyStore(app.database).create(TENANT, "screenshots")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*COMMAND, "serve", "--port", str(port), "--data-dir", str(data_dir)])  # noqa: S603 - ours
    url = f"http://127.0.0.1:{port}"
    try:
        while not ready(url):
            if server.poll() is not None:
                raise SystemExit(f"the server ended with {server.returncode}")
            time.sleep(0.1)
        yield url, key
    finally:
        server.terminate()
        server.wait(30)


def ready(url: str) -> bool:
    """Tell whether the server takes requests."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - our own
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def opened(
    browser: Browser, url: str, key: str, *, width: int, height: int, scheme: str = "light", scale: float = 1
) -> Page:
    """Open the page on a screen of this size, and enter the key."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=scale,
        locale="fa-IR",
    )
    page = context.new_page()
    page.goto(url)
    page.get_by_label("کلید", exact=True).fill(key)
    page.keyboard.press("Enter")
    page.locator("#empty h2").wait_for()
    return page


def ask(page: Page, question: str) -> None:
    """Ask, and wait for the whole answer."""
    page.get_by_label("پرسش شما").fill(question)
    page.keyboard.press("Enter")
    page.locator(".turn").last.locator(".foot:not([hidden])").wait_for()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument(
        "--chromium", default="/usr/bin/chromium", help="Debian: apt-get install chromium fonts-noto-core"
    )
    options = parser.parse_args()
    main(options.docs, options.chromium)
