"""The requests of the pages are answered by one `rag-app serve`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.storage import KeyStore
from tests.docs.pages import Block, blocks, python
from tests.served import Serving, serving

TENANT = "the shop of the pages"


@pytest.fixture(scope="module")
def server(app: RagApp) -> Iterator[Serving]:
    url = app.settings.database.url
    assert url is not None
    with serving({"DATABASE_URL": url.get_secret_value()}) as server:
        yield server


@pytest.fixture(scope="module")
def key(app: RagApp) -> str:
    note = {"id": "f1", "title": "هزینهٔ ارسال", "text": "ارسال بالای ۵۰۰٬۰۰۰ تومان رایگان است.", "source": "faq"}
    app.ingest([note], tenant=TENANT)
    return KeyStore(app.database).create(TENANT, "pages")[1]


def asked(block: Block, server: Serving, key: str, folder: Path) -> str:
    """What the requests of a block print; one that fails ends them."""
    (folder / "shipping.md").write_text("# ارسال\n\nسفارش‌ها ظرف سه روز کاری به دستتان می‌رسد.", "utf-8")
    here = server.url.removeprefix("http://")
    script = block.text.replace("curl ", "curl -sSf ").replace("localhost:8000", here)
    run = ["bash", "-ec", script]
    done = subprocess.run(run, cwd=folder, env={**os.environ, "KEY": key}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_the_requests_are_answered(block: Block, server: Serving, key: str, tmp_path: Path) -> None:
    told = asked(block, server, key, tmp_path)
    assert "ارسال بالای ۵۰۰٬۰۰۰ تومان رایگان است." in told
    assert "event: retrieval" in told
    assert "event: done" in told
    if "upload" in block.text:
        assert '"added":1' in told
        assert '"deleted":true' in told


def test_the_client_of_openai_is_answered(server: Serving, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = python("client").replace("http://localhost:8000", server.url)
    names: dict[str, Any] = {"key": key}
    exec(compile(code, "docs/server.md", "exec"), names)
    names["client"].close()
    text, rag, tokens = capsys.readouterr().out.splitlines()
    assert "[1]" in text
    assert rag.startswith("answered [{'number': 1, 'doc_id': 'f1'")
    assert re.fullmatch(r"[1-9]\d+ estimate", tokens)
