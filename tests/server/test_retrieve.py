from __future__ import annotations

from typing import Any

import httpx
import pytest


def test_a_question_gets_what_the_application_finds(client: httpx.Client, tenant: str) -> None:
    answer = client.post("/v1/retrieve", json={"query": "ارسال چند روز طول میکشه؟"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["tenant"], found["method"], found["degraded"]) == (tenant, "production_rag", False)
    assert found["chunks"][0]["doc_id"] == "m1"
    assert "سه روز کاری" in found["context"]
    assert found["trace"]["stages"][0]["name"] == "query_analysis"


def test_the_options_are_the_applications(client: httpx.Client) -> None:
    body = {
        "query": "مرجوعی کالا",
        "primary_source": "faq",
        "secondary_sources": ["nothing"],
        "primary_budget": 200,
        "secondary_budget": 0,
        "filters": {"doc_id": ["f1", "f2"]},
        "method": "context_retriever",
    }
    found = client.post("/v1/retrieve", json=body).json()
    assert found["method"] == "context_retriever"
    assert {chunk["doc_id"] for chunk in found["chunks"]} == {"f1"}
    empty = client.post("/v1/retrieve", json={"query": "مرجوعی", "primary_source": "nothing"}).json()
    assert empty["chunks"] == []
    assert "nothing" in empty["reason"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "query"),
        ({"query": 5}, "query"),
        ({"query": "ا" * 2001}, "query"),
        ({"query": "a", "tenant": "b"}, "tenant"),
        ({"query": "a", "primary_budget": -1}, "primary_budget"),
        ({"query": "a", "primary_budget": True}, "primary_budget"),
        ({"query": "a", "primary_budget": 10**30}, "primary_budget"),
        ({"query": "a", "method": "none"}, "method"),
        ({"query": "a", "secondary_sources": "faq"}, "secondary_sources"),
        ({"query": "a", "filters": {"tenant": "b"}}, None),
        ({"query": "a", "filters": {"brand": {"$ne": 1}}}, "filters.brand"),
        ({"query": "a", "secondary_sources": ["faq"]}, None),
        ({"query": "a", "primary_source": "\0"}, None),
        ({"query": "a", "primary_source": ""}, "primary_source"),
        ([], "body"),
        ("a", "body"),
    ],
)
def test_a_body_that_can_not_be_used_is_answered_with_400_and_its_field(
    client: httpx.Client, body: Any, param: str | None
) -> None:
    answer = client.post("/v1/retrieve", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert error["code"]
    if param is not None:
        assert error["param"].startswith(param)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"query": "\\ud800"}', "application/json", 400),
        (b'{"\\ud800": 1, "query": "a"}', "application/json", 400),
        (b"{" * 100_000, "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"query": NaN}', "application/json", 400),
        (b'{"query": "a", "primary_budget": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"query": "a"}', "text/plain", 415),
        (b"query=a", "application/x-www-form-urlencoded", 415),
        (b'{"query": "a"}', "application/json; charset=utf-8", 200),
    ],
)
def test_bodies_that_no_client_should_send(client: httpx.Client, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/v1/retrieve", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["error"]["message"]


def test_what_a_customer_typed_may_hold_anything(client: httpx.Client) -> None:
    for text in (
        "",
        " ",
        "\0",
        "\n\r\t",
        "🙂" * 100,
        "'; DROP TABLE documents; --",
        "%s %(tenant)s :x",
        "\u202e\u200f",
    ):
        answer = client.post("/v1/retrieve", json={"query": text})
        assert answer.status_code == 200, text
        assert not answer.json()["degraded"], text
