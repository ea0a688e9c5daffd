from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.server.running import Running


def listed(client: httpx.Client, **query: Any) -> list[str]:
    answer = client.get("/v1/documents", params=query)
    assert answer.status_code == 200, answer.text
    return [document["id"] for document in answer.json()["data"]]


def test_documents_are_added_listed_and_deleted(client: httpx.Client) -> None:
    records = [
        {"id": "n1", "title": "عنوان", "text": "متن تازه", "source": "web", "metadata": {"brand": "سونی"}},
        {"question": "گارانتی دارد؟", "answer": "بله، یک سال.", "source": "faq"},
        {"id": "n3", "text": ""},
        {"id": "n4"},
    ]
    report = client.post("/v1/documents", json={"documents": records}).json()
    assert (report["added"], report["updated"], report["unchanged"], report["deleted"]) == (2, 0, 0, 0)
    assert [entry["origin"] for entry in report["skipped"]] == ["n3", "n4"]
    assert client.post("/v1/documents", json={"documents": records}).json()["unchanged"] == 2

    page = client.get("/v1/documents", params={"source": "web"}).json()
    assert page["next"] is None
    (document,) = page["data"]
    assert document.pop("updated_at").startswith("20")
    assert document == {"id": "n1", "source": "web", "title": "عنوان", "chunks": 1}
    found = client.post("/v1/retrieve", json={"query": "متن", "filters": {"brand": "سونی"}}).json()
    assert [chunk["doc_id"] for chunk in found["chunks"]] == ["n1"]

    assert client.delete("/v1/documents/n1").json() == {"deleted": True}
    missing = client.delete("/v1/documents/n1")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert client.delete("/v1/documents", params={"source": "faq"}).json() == {"deleted": 2}
    assert client.delete("/v1/documents", params={"source": "faq"}).json() == {"deleted": 0}
    assert listed(client) == ["m1"]


def test_pages_follow_each_other(client: httpx.Client) -> None:
    records = [{"id": f"d{number:02}", "text": "متن"} for number in range(7)]
    client.post("/v1/documents", json={"documents": records})
    found, after = [], None
    while True:
        page = client.get("/v1/documents", params={"limit": 4, **({"after": after} if after else {})}).json()
        found += [document["id"] for document in page["data"]]
        if (after := page["next"]) is None:
            break
    assert found == ["d00", "d01", "d02", "d03", "d04", "d05", "d06", "f1", "m1"]


@pytest.mark.parametrize(
    "doc_id", ["a/b", "/", "a?b=c", "a#b", "%2F", "a b", "سند", "upload", "é\u0301", "a\\b", "'\"", "x" * 200, "a/../b"]
)
def test_any_id_can_be_deleted(client: httpx.Client, doc_id: str) -> None:
    assert client.post("/v1/documents", json={"documents": [{"id": doc_id, "text": "متن"}]}).json()["added"] == 1
    assert doc_id in listed(client)
    assert client.delete(f"/v1/documents/{quote(doc_id, safe='')}").json() == {"deleted": True}
    assert doc_id not in listed(client)


@pytest.mark.parametrize(("path", "status"), [("%00", 400), ("x" * 201, 400), ("%ff", 404), ("%0A", 400), ("", 400)])
def test_an_id_that_no_document_can_have_is_refused(client: httpx.Client, path: str, status: int) -> None:
    assert client.delete(f"/v1/documents/{path}").status_code == status


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", {"limit": "0"}),
        ("GET", {"limit": "1001"}),
        ("GET", {"limit": "x"}),
        ("GET", {"tenant": "b"}),
        ("GET", {"source": ""}),
        ("GET", {"source": "\0"}),
        ("GET", {"after": "\0"}),
        ("DELETE", {}),
        ("DELETE", {"source": ""}),
        ("DELETE", {"source": "faq", "tenant": "b"}),
    ],
)
def test_a_query_that_can_not_be_used_is_refused(client: httpx.Client, method: str, query: dict[str, str]) -> None:
    answer = client.request(method, "/v1/documents", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert len(listed(client)) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"documents": []},
        {"documents": [{"id": "a", "text": "b"}], "tenant": "b"},
        {"documents": [{"id": "a", "text": "b", "tenant": "b"}]},
        {"documents": [{"id": 5, "text": "b"}]},
        {"documents": [{"id": "a", "text": "b", "metadata": []}]},
        {"documents": [{"id": "a", "text": "b"}] * 1001},
        [],
    ],
)
def test_documents_of_another_shape_are_refused(client: httpx.Client, body: Any) -> None:
    assert client.post("/v1/documents", json=body).status_code == 400
    assert len(listed(client)) == 2


def test_what_no_database_stores_is_skipped_and_the_rest_goes_on(client: httpx.Client) -> None:
    content = (
        b'{"documents": [{"id": "a", "text": "\\u0000"}, {"id": "b", "text": "c", "metadata": {"x": NaN}},'
        b'{"id": "", "text": "c"}, {"id": "a\\u0000", "text": "c"}, {"id": "ok", "text": "c", "metadata": {"x": [1]}}]}'
    )
    answer = client.post("/v1/documents", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    report = answer.json()
    assert (report["added"], len(report["skipped"])) == (1, 4)


def test_no_more_ingestions_run_at_once_than_leave_room_for_questions(server: Running, client: httpx.Client) -> None:
    gate = server.services.ingestions
    for _ in range(2):
        asyncio.run(gate._place("another"))
    before, gate._wait_s = gate._wait_s, 0.01
    try:
        answer = client.post("/v1/documents", json={"documents": [{"id": "a", "text": "b"}]})
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert client.post("/v1/retrieve", json={"query": "ارسال"}).status_code == 200
    finally:
        gate._wait_s = before
        for _ in range(2):
            gate._leave("another")
    assert client.post("/v1/documents", json={"documents": [{"id": "a", "text": "b"}]}).status_code == 200
