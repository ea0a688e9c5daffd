from __future__ import annotations

import logging
import time

import httpx
import pytest

from rag_app.server import health
from rag_app.storage import Database
from tests.server.running import Running


def test_health_and_figures_need_no_key(server: Running) -> None:
    with server.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ok"}
        figures = client.get("/metrics")
    assert figures.headers["Content-Type"].startswith("text/plain")
    assert "rag_retrieval_total" in figures.text


def test_a_server_whose_database_is_gone_is_ready_as_long_as_it_can_answer_anybody(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_S", 0.0)
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    with server.client() as other:
        assert client.get("/v1/whoami").status_code == 200
        monkeypatch.setattr(server.app, "database", gone)
        degraded = {"status": "degraded", "degraded": ["the database does not answer"]}
        assert waited_for(client, degraded).status_code == 200
        assert client.get("/healthz").status_code == 200
        answer = client.get("/v1/documents")
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "server_error")
        assert answer.headers["Retry-After"]
        assert "127.0.0.1" not in answer.text
        monkeypatch.setattr(server.services.keys._store, "_database", gone)
        unknown = other.get("/v1/models", headers={"Authorization": "Bearer rag_" + "A" * 43})
        assert unknown.status_code == 503
        monkeypatch.setattr(server.services.keys, "_kept_s", 0.0)
        assert client.get("/readyz").status_code == 503
    monkeypatch.undo()
    assert waited_for(client, {"status": "ok"}).status_code == 200


def waited_for(client: httpx.Client, ready: dict[str, object]) -> httpx.Response:
    """Ask until what was found out last is forgotten, and return the answer."""
    until = time.monotonic() + 60
    while (answer := client.get("/readyz")).json() != ready and time.monotonic() < until:
        time.sleep(0.05)
    assert answer.json() == ready
    return answer


def test_a_draining_server_is_not_ready_and_takes_no_more(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.services.requests, "draining", True)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    answer = client.get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopping")
    assert answer.headers["Retry-After"] == "1"


def test_every_answer_has_an_id_and_the_headers_of_a_careful_server(client: httpx.Client) -> None:
    for path in ("/", "/healthz", "/v1/models", "/nothing", "/v1/nothing", "/openapi.json", "/static/nothing"):
        answer = client.get(path)
        assert len(answer.headers["X-Request-ID"]) == 32, path
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/v1/models").headers["Cache-Control"] == "no-store"
    assert client.get("/v1/models", headers={"X-Request-ID": "a.b:c-1"}).headers["X-Request-ID"] == "a.b:c-1"
    for given in ("a b", "x" * 65, "é".encode("latin-1"), b'a"b'):
        assert client.get("/v1/models", headers={"X-Request-ID": given}).headers["X-Request-ID"] != given  # type: ignore[dict-item]


def test_one_id_leads_through_the_log_which_holds_no_word_of_the_customer(
    client: httpx.Client, tenant: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "rag_app"):
        client.post("/v1/chat", json={"question": "ارسال محرمانه"}, headers={"X-Request-ID": "trace-1"})
        client.delete("/v1/documents/private-name")
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" ")[0] for line in lines if "request=trace-1" in line] == ["ProductionRAG", "Answer", "Request"]
    (line,) = [line for line in lines if line.startswith("Request") and "trace-1" in line]
    assert "method=POST route=/v1/chat status=200 ms=" in line
    assert f"tenant={tenant}" in line or f'tenant="{tenant}"' in line
    for word in ("محرمانه", "private-name", client.headers["Authorization"].removeprefix("Bearer ")):
        assert word not in "\n".join(lines)


def test_what_is_not_there_is_404_or_405_in_the_same_shape(client: httpx.Client) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/v1/nothing", 404), ("GET", "/v1/retrieve", 405)):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"message", "type", "code", "param"}
    assert client.get("/docs").status_code == 404


def test_code_that_is_wrong_is_500_in_the_same_shape(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(**_: object) -> None:
        raise KeyError("a customer's words")

    monkeypatch.setattr(server.app, "adocuments", broken)
    answer = client.get("/v1/documents")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "customer" not in answer.text
    assert "KeyError at " in caplog.text
    assert "customer's words" not in caplog.text
