"""`rag-app chat`, piped and in a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rag_app import RagApp
from rag_app.cli.chat import converse
from rag_app.cli.commands import app as commands
from rag_app.errors import LLMError
from tests.chat.conversations import chat_of, writer_of
from tests.conftest import SAMPLE_TENANT

PROGRAM = [sys.executable, "-c", "from rag_app.cli import main; main()"]
NOTE = {"id": "m1", "title": "ارسال", "text": "ارسال سفارش به تهران دو روز کاری طول می‌کشد.", "source": "manual"}


@pytest.fixture
def url(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that every command uses, with one note of tenant `shop`."""
    url = new_database()
    with RagApp.from_config(database={"url": url}) as app:
        app.ingest([NOTE], tenant="shop")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "30")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__LEG_TIMEOUT_S", "20")
    return url


def said(app: RagApp, capsys: pytest.CaptureFixture[str], *lines: str) -> str:
    converse(app, SAMPLE_TENANT, iter(lines))
    return capsys.readouterr().out


@pytest.mark.usefixtures("url")
def test_questions_from_a_pipe_are_answered_with_their_sources() -> None:
    done = CliRunner().invoke(commands, ["chat", "--tenant", "shop"], input="ارسال سفارش چند روزه‌ست؟\n\n/quit\nx\n")
    assert done.exit_code == 0, done.output
    answer, source = done.output.splitlines()
    assert "دو روز کاری" in answer
    assert "[1]" in answer
    assert source == "  [1] m1  \u2068ارسال\u2069"


def test_a_conversation_goes_on_until_a_new_one(app: RagApp, capsys: pytest.CaptureFixture[str]) -> None:
    printed = said(app, capsys, "دوره آیلتس دارین؟", "شهریه‌ش چقدره؟", "/stages", "/new", "/stages", "شهریه‌ش چقدره؟")
    assert printed.count("(read as: ") == 1
    assert "(read as: \u2068شهریه دوره آیلتس چقدره؟\u2069)" in printed
    assert "«شهریه‌ش» was read with «دوره آیلتس»" in printed
    assert printed.count("query analysis: language fa") == 1
    assert "nothing was answered yet" in printed


def test_a_command_that_does_not_exist_is_no_question(app: RagApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(app, capsys, "/stage") == (
        "unknown command '/stage': did you mean '/stages'? valid: /new, /quit, /stages\n"
    )


def test_why_an_llm_failed_is_told(
    app: RagApp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "chat", chat_of(app, write=writer_of(then=LLMError("no", "quota"))))
    converse(app, SAMPLE_TENANT, iter(["بورسیه دارین؟"]))
    assert capsys.readouterr().err == "  extractive failed: quota\n"


def test_in_a_terminal_it_asks_and_ends_with_the_input(url: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"}
    with subprocess.Popen(
        [*PROGRAM, "chat", "--tenant", "shop"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    ) as process:
        os.write(ours, "ارسال چند روزه‌ست؟\n".encode())
        os.write(ours, b"\x04")
        out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, err.decode()
    first, *_ = out.decode().splitlines()
    assert first.startswith("extractive answers. /stages: ")
    assert "دو روز کاری" in out.decode()
