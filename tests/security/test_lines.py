"""Names and texts that others chose steer neither the log nor the terminal nor the headers of an answer."""

from __future__ import annotations

import io
import logging
import re
import socket

import httpx
import pytest

from rag_app import RagApp
from rag_app.cli.chat import converse
from rag_app.cli.render import render_explanation, render_ingestion
from rag_app.logs import get_logger, key_values
from rag_app.schema import IngestReport, Skipped
from rag_app.schema.terminal import plain, render_result
from tests.server.running import running

CONTROLS = ["\n", "\r", "\x1b[31m", "\x7f", "\x85", "\x9b31m", "\u2028", "\u2029", "\u202e", "\u2067", "\u200f"]
TEXT = "ارسال\x1b]0;title\x07 رایگان \x9b31mاست"


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logged(stream: io.StringIO) -> logging.LoggerAdapter[logging.Logger]:
    logger = get_logger("tests.security")
    handler = logging.StreamHandler(stream)
    logger.logger.handlers = [handler]
    logger.logger.propagate = False
    return logger


@pytest.mark.parametrize("control", CONTROLS)
def test_whatever_is_logged_is_one_line_that_steers_nothing(
    logged: logging.LoggerAdapter[logging.Logger], stream: io.StringIO, control: str
) -> None:
    name = f"a{control}Request status=200 tenant=b"
    logged.warning("%s", key_values({"tenant": name, "status": 401}))
    logged.warning("a document was refused: %s", name)
    logged.warning("it failed: %s", ValueError(name))
    lines = stream.getvalue().split("\n")
    assert len(lines) == 4
    for line in lines:
        assert line.isprintable(), line
    assert lines[0].startswith('tenant="a')
    assert lines[0].endswith('" status=401')


def test_half_spaces_stay_in_the_log(logged: logging.LoggerAdapter[logging.Logger], stream: io.StringIO) -> None:
    logged.warning("%s", key_values({"source": "می‌خواهم"}))
    assert stream.getvalue() == 'source="می‌خواهم"\n'


def test_a_request_id_adds_neither_a_header_nor_a_line(app: RagApp) -> None:
    with running(app) as server:
        address = httpx.URL(server.url)
        for given in (
            b"a\r\n\tSet-Cookie: x=1",
            b"a\nSet-Cookie: x=1",
            b"a\tb",
            b"\x1b[31m",
            b"x" * 65,
            b"a;b",
            "é".encode(),
        ):
            with socket.create_connection((address.host, address.port), 10) as connection:
                head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: "
                connection.sendall(head + given + b"\r\n\r\n")
                answer = connection.makefile("rb").read().lower()
            assert answer.startswith((b"http/1.1 200", b"http/1.1 400")), given
            assert b"set-cookie" not in answer, given
            assert b"200" not in answer[:15] or re.search(rb"\r\nx-request-id: (?:a|[0-9a-f]{32})\r\n", answer), given


def test_a_document_does_not_steer_the_terminal(app: RagApp, tenant: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "ارسال\x9b2J.md"
    app.ingest([{"id": name, "title": TEXT, "text": TEXT, "source": "manual"}], tenant=tenant)
    result = app.retrieve("ارسال رایگان است", tenant=tenant)
    assert result.nodes
    converse(app, tenant, iter(["ارسال رایگان است؟"]))
    report = IngestReport(0, 0, 0, 0, 0, (Skipped(f"{name}\x1b[2J", f"{TEXT}"),), 0.1)
    shown = [capsys.readouterr().out, render_result(result), render_explanation(result), render_ingestion(report)]
    for text in shown:
        assert "رایگان" in text
        assert not {"\x1b", "\x07", "\x9b"} & set(text)
    assert plain("یک\tدو\nسه‌چهار") == "یک\tدو\nسه‌چهار"
