"""A key of one tenant can not see, change, delete or detect what another has, by any endpoint and any parameter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import text

from tests.server.running import Running
from tests.server.test_auth import _CALLS

B = "tenant-b"
NAMES = {"doc": "b-document", "source": "b-source", "word": "زرافه", "value": "b-brand", "title": "b-title"}
TABLES = ("tenants", "documents", "parents", "data_chunks", "deletions")
QUESTION = "زرافه کجاست؟"
OWN = {"id": "own", "text": "ارسال سفارش سه روز طول می‌کشد.", "source": "own-source", "title": "ارسال"}


def requests_of(names: dict[str, str], tenant: str) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Requests to every endpoint with these names in every parameter; `tenant` is named wherever one might be read."""
    options = [
        {"primary_source": names["source"]},
        {"primary_source": "own-source", "secondary_sources": [names["source"]]},
        {"filters": {"doc_id": names["doc"]}},
        {"filters": {"doc_id": [names["doc"], "own"]}},
        {"filters": {"brand": names["value"]}},
        {"filters": {"title": names["title"]}},
        {"filters": {"tenant": tenant}},
        {"method": "context_retriever"},
        {"method": "by_flags", "filters": {"doc_id": names["doc"]}},
        {"tenant": tenant},
    ]
    document = {"id": names["doc"], "text": "متن", "source": names["source"]}
    history = [{"role": "user", "content": names["word"]}, {"role": "assistant", "content": f"{names['doc']} [1]"}]
    quoted = quote(names["doc"], safe="")
    return {
        "POST /v1/retrieve": [
            ("/v1/retrieve", {"json": {"query": f"{names['word']} {names['doc']}", **each}}) for each in options
        ]
        + [(f"/v1/retrieve?tenant={tenant}", {"json": {"query": QUESTION}})],
        "POST /v1/chat": [
            ("/v1/chat", {"json": {"question": names["word"], "history": history, **each}}) for each in options
        ],
        "POST /v1/chat/completions": [
            ("/v1/chat/completions", {"json": {"model": tenant, "user": tenant, "messages": history[:1], **each}})
            for each in options
        ],
        "GET /v1/documents": [
            ("/v1/documents", {"params": {"source": names["source"]}}),
            ("/v1/documents", {"params": {"after": names["doc"]}}),
            ("/v1/documents", {"params": {"tenant": tenant}}),
        ],
        "POST /v1/documents": [
            ("/v1/documents", {"json": {"documents": [document]}}),
            ("/v1/documents", {"json": {"documents": [{**document, "metadata": {"tenant": tenant}}]}}),
            ("/v1/documents", {"json": {"documents": [document], "tenant": tenant}}),
            ("/v1/documents", {"json": {"documents": [{**document, "tenant": tenant}]}}),
        ],
        "POST /v1/documents/upload": [
            ("/v1/documents/upload", {"files": {"files": (names["doc"] + ".txt", b"text")}}),
            ("/v1/documents/upload", {"files": {"files": ("a.txt", b"text")}, "data": {"source": names["source"]}}),
            ("/v1/documents/upload", {"files": {"files": ("a.txt", b"text")}, "data": {"tenant": tenant}}),
            ("/v1/documents/upload", {"files": {"files": (f"../{tenant}/a.txt", b"text")}}),
        ],
        "DELETE /v1/documents/{doc_id}": [
            (f"/v1/documents/{path}", {})
            for path in (quoted, f"{quoted}?tenant={tenant}", f"..%2F{tenant}%2F{quoted}", f"{tenant}/{quoted}")
        ],
        "DELETE /v1/documents": [
            ("/v1/documents", {"params": {"source": names["source"]}}),
            ("/v1/documents", {"params": {"source": names["source"], "tenant": tenant}}),
        ],
        "GET /v1/whoami": [("/v1/whoami", {}), (f"/v1/whoami?tenant={tenant}", {})],
        "GET /v1/models": [("/v1/models", {})],
    }


def rows_of(server: Running, tenant: str) -> dict[str, list[str]]:
    with server.app.database.transaction(tenant) as connection:
        return {
            table: sorted(connection.scalars(text(f"SELECT to_jsonb(t)::text FROM rag_app.{table} t")))
            for table in TABLES
        }


SECRET = {
    "id": NAMES["doc"],
    "title": NAMES["title"],
    "text": f"رمز {NAMES['word']} در گاوصندوق است. {QUESTION}",
    "source": NAMES["source"],
    "metadata": {"brand": NAMES["value"]},
}


@pytest.fixture
def b_rows(server: Running) -> Iterator[dict[str, list[str]]]:
    """What tenant B has."""
    server.app.ingest([SECRET], tenant=B)
    before = rows_of(server, B)
    assert all(before[table] for table in ("documents", "parents", "data_chunks"))
    assert server.app.retrieve(QUESTION, tenant=B).nodes
    yield before
    server.app.delete_tenant(B)


def asked(client: httpx.Client, call: str, path: str, arguments: dict[str, Any]) -> tuple[int, str]:
    """The status and the body of an answer, without what differs between any two."""
    headers = {"X-Tenant": B, "X-Tenant-ID": B, "X-Forwarded-User": B, "X-Request-ID": "r"}
    answer = client.request(call.split(" ")[0], path, headers=headers, **arguments)
    body = re.sub(r'"(\w*ms|seconds|created|score|updated_at)": ?("[^"]*"|[-\d.e]+)', '"\\1":0', answer.text)
    return answer.status_code, re.sub("[0-9a-f]{32}", "<hash>", body)  # of the tenant


@pytest.mark.parametrize("call", _CALLS)
def test_what_another_tenant_has_is_as_if_it_were_not(
    server: Running, tenant: str, b_rows: dict[str, list[str]], call: str
) -> None:
    answers = []
    for there in (True, False):
        own = f"{tenant}{there}"
        server.app.ingest([OWN], tenant=own)
        with server.client(own) as client:
            found = [asked(client, call, *each) for each in requests_of(NAMES, B)[call]]
        answers.append([(status, body.replace(own, "<own>")) for status, body in found])
        if there:
            assert rows_of(server, B) == b_rows
            server.app.delete_tenant(B)
        else:  # and nothing has come to be
            assert server.app.documents(tenant=B).documents == ()
    assert answers[0] == answers[1]
    statuses = {status for status, _ in answers[0]}
    assert statuses & {200, 404}
    assert max(statuses) < 500
    assert "گاوصندوق" not in str(answers)


def test_a_document_of_the_same_id_is_another_document(
    server: Running, client: httpx.Client, tenant: str, b_rows: dict[str, list[str]]
) -> None:
    document = {"id": NAMES["doc"], "text": "متن من", "source": NAMES["source"]}
    report = client.post("/v1/documents", json={"documents": [document]}).json()
    assert (report["added"], report["updated"]) == (1, 0)
    found = client.post("/v1/retrieve", json={"query": "متن من", "filters": {"doc_id": NAMES["doc"]}}).json()
    assert [chunk["content"] for chunk in found["chunks"]] == ["متن من"]
    assert client.delete(f"/v1/documents/{NAMES['doc']}").json() == {"deleted": True}


def test_metadata_that_names_another_tenant_is_only_metadata(
    server: Running, client: httpx.Client, tenant: str, b_rows: dict[str, list[str]]
) -> None:
    document = {"id": "n", "text": "متن من", "metadata": {"tenant": B, "doc_id": NAMES["doc"], "source": "b-source"}}
    assert client.post("/v1/documents", json={"documents": [document]}).json()["added"] == 1
    chunk = client.post("/v1/retrieve", json={"query": "متن من", "filters": {"doc_id": "n"}}).json()["chunks"][0]
    assert (chunk["tenant"], chunk["doc_id"], chunk["source"]) == (tenant, "n", "documents")
