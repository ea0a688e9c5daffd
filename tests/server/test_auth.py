from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest
from starlette.testclient import TestClient

from rag_app.errors import DatabaseUnavailableError
from rag_app.server import auth, create_server
from rag_app.server.running import _config
from rag_app.storage import Database, KeyStore
from tests.server.running import Running

_CALLS = {
    "POST /v1/retrieve": ("POST", "/v1/retrieve", {"query": "a"}),
    "POST /v1/chat": ("POST", "/v1/chat", {"question": "a"}),
    "POST /v1/chat/completions": ("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]}),
    "GET /v1/documents": ("GET", "/v1/documents", None),
    "POST /v1/documents": ("POST", "/v1/documents", {"documents": [{"id": "a", "text": "b"}]}),
    "DELETE /v1/documents": ("DELETE", "/v1/documents?source=s", None),
    "DELETE /v1/documents/{doc_id}": ("DELETE", "/v1/documents/a", None),
    "POST /v1/documents/upload": ("POST", "/v1/documents/upload", None),
    "GET /v1/whoami": ("GET", "/v1/whoami", None),
    "GET /v1/models": ("GET", "/v1/models", None),
}


def test_every_endpoint_is_here_and_says_that_it_needs_a_key(server: Running) -> None:
    with server.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    guarded = {
        f"{method.upper()} {path}": operation.get("security")
        for path, operations in paths.items()
        if path.startswith("/v1/")
        for method, operation in operations.items()
    }
    assert set(guarded) == set(_CALLS)
    assert all(guarded.values())
    assert {path for path in paths if not path.startswith("/v1/")} == {"/healthz", "/readyz", "/metrics"}


@pytest.mark.parametrize("call", _CALLS)
def test_no_endpoint_answers_without_a_valid_key(server: Running, tenant: str, call: str) -> None:
    method, path, body = _CALLS[call]
    store = KeyStore(server.app.database)
    revoked, secret = store.create(tenant)
    store.revoke(revoked.id)
    valid = server.key(tenant)
    wrong = (None, secret, f"{valid}x", "rag_", "rag_" + "A" * 43, "x" * 10_000)
    headers = [{} if key is None else {"Authorization": f"Bearer {key}"} for key in wrong]
    headers += [{"Authorization": valid}, {"Authorization": f"Basic {valid}"}, {"X-API-Key": valid}]
    with server.client() as client:
        for each in headers:
            answer = client.request(method, path, json=body, headers=each)
            assert answer.status_code == 401, each
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.json()["error"]["type"] == "authentication_error"
            assert answer.headers["X-Request-ID"]
    assert server.app.documents(tenant=tenant).documents == ()


def test_a_body_is_not_read_before_the_key_is_known(server: Running) -> None:
    address = httpx.URL(server.url)
    head = f"POST /v1/documents/upload HTTP/1.1\r\nHost: {address.netloc.decode()}\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection((address.host, address.port), 10) as connection:
        connection.sendall(head.encode())  # and nothing of the body
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def test_a_revoked_key_is_refused_soon_though_it_was_used_just_now(
    server: Running, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.services.keys, "_fresh_s", 0.3)
    store = KeyStore(server.app.database)
    key, secret = store.create(tenant)
    with server.client() as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        assert client.get("/v1/models").status_code == 200
        store.revoke(key.id)
        time.sleep(0.35)
        assert client.get("/v1/models").status_code == 401


def test_what_was_found_is_remembered_for_a_few_seconds(server: Running, tenant: str) -> None:
    store = KeyStore(server.app.database)
    key, secret = store.create(tenant)
    with server.client() as client:
        client.headers["Authorization"] = f"bearer {secret}"
        assert client.get("/v1/models").status_code == 200
        store.revoke(key.id)
        assert client.get("/v1/models").status_code == 200
    assert 0 < server.services.keys._fresh_s <= 5


def test_who_called_lately_is_answered_while_the_database_does_not_answer(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, gone = server.services.keys, Database("postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(keys, "_fresh_s", 0.0)
    assert client.get("/v1/models").status_code == 200
    monkeypatch.setattr(keys._store, "_database", gone)
    assert client.post("/v1/retrieve", json={"query": "سلام"}).status_code == 200
    with server.client() as other:
        unknown = {"Authorization": f"Bearer rag_{'A' * 43}"}
        assert other.get("/v1/models", headers=unknown).status_code == 503
    monkeypatch.setattr(auth, "_AGAIN_S", 0.0)
    keys._known.update({digest: replace(known, until=0.0) for digest, known in keys._known.items()})
    monkeypatch.setattr(keys, "_kept_s", 0.0)
    assert client.get("/v1/models").status_code == 503


async def test_whose_key_was_never_seen_here_is_answered_too_while_the_database_does_not_answer(
    server: Running, tenant: str
) -> None:
    store = KeyStore(server.app.database)
    _, secret = store.create(tenant)
    revoked, old = store.create(tenant)
    store.revoke(revoked.id)
    keys = auth.KeyRing(KeyStore(server.app.database))
    async with asyncio.timeout(20):
        while not keys._known:
            with suppress(TimeoutError):
                await asyncio.wait_for(keys.follow(), 1)
    keys._store = KeyStore(Database("postgresql://nobody@127.0.0.1:1/none"))
    found = await keys.find(secret)
    assert found is not None
    assert found.tenant == tenant
    with pytest.raises(DatabaseUnavailableError):
        await keys.find(old)


def test_a_server_learns_of_the_keys_when_it_starts(server: Running, tenant: str) -> None:
    server.key(tenant)
    with TestClient(create_server(server.app)) as client:
        keys = client.app.state.services.keys
        deadline = time.monotonic() + 20
        while not keys._known and time.monotonic() < deadline:
            time.sleep(0.01)
    assert tenant in {known.key.tenant for known in keys._known.values()}
    assert _config(server.app, create_server(server.app)).lifespan == "on"  # as `rag-app serve` runs it


def test_who_called_lately_does_not_wait_for_a_database_that_hangs(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, over = server.services.keys, threading.Event()
    monkeypatch.setattr(keys, "_fresh_s", 0.0)
    monkeypatch.setattr(keys, "_ask_again_at", 0.0)  # as if no test before had waited in vain
    assert client.get("/v1/models").status_code == 200
    monkeypatch.setattr(auth, "_AGAIN_S", 0.0)
    asked: list[str] = []
    monkeypatch.setattr(keys._store, "find", lambda secret: asked.append(secret) or over.wait(60))
    try:
        started = time.monotonic()
        assert [client.get("/v1/models").status_code for _ in range(3)] == [200, 200, 200]
        assert time.monotonic() - started < 30  # the database says nothing for a minute
        assert len(asked) == 1  # those who ask meanwhile wait for the same answer
    finally:
        over.set()


def test_whoami_tells_the_tenant_and_what_it_has(client: httpx.Client, tenant: str) -> None:
    assert client.get("/v1/whoami").json() == {
        "tenant": tenant,
        "key_name": "default",
        "llm": "extractive",
        "sources": ["faq", "manual"],
        "documents": 2,
    }
