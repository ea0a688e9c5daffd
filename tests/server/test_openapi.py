from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.failures import FailureGroup

from tests.server.running import Running

EXAMPLES = 12


def document_of(server: Running) -> dict[str, Any]:
    with server.client() as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def test_the_document_is_whole(server: Running) -> None:
    document = document_of(server)
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert named == set(schemas)
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    operations = operations_of(document)
    identifiers = [operation["operationId"] for operation in operations.values()]
    assert len(set(identifiers)) == len(identifiers)
    for name, operation in operations.items():
        assert operation["summary"], name
        assert "422" not in operation["responses"], name
        if "/v1/" in name:
            assert operation["security"], name
            assert {"400", "401", "413", "429", "503"} <= set(operation["responses"]), name
            assert all("example" in content for content in operation["responses"]["200"]["content"].values()), name


def test_every_example_of_a_body_is_answered(server: Running, client: httpx.Client) -> None:
    document = document_of(server)
    sent = 0
    for name, operation in operations_of(document).items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        (schema,) = [content["schema"]]
        examples = schema.get("examples") or [each["value"] for each in content["examples"].values()]
        assert examples, name
        for example in examples:
            method, path = name.split(" ")
            answer = client.request(method, path, json=example)
            assert answer.status_code == 200, (name, answer.text)
            sent += 1
    assert sent >= 8


@pytest.fixture
def schema(server: Running) -> Any:
    loaded = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    loaded.validate()
    return loaded


@pytest.mark.parametrize("call", ["POST", "GET", "DELETE"])
def test_whatever_is_sent_nothing_breaks(schema: Any, client: httpx.Client, call: str) -> None:
    """Requests that the document allows, and that it does not, have no answer of 500 or above."""
    headers = {"Authorization": client.headers["Authorization"]}
    for result in schema.include(method=call).get_all_operations():
        operation = result.ok()
        for mode in schemathesis.GenerationMode:
            if mode.is_negative and not any(map(len, (operation.body, operation.query, operation.path_parameters))):
                continue  # there is nothing to get wrong
            _send(operation.as_strategy(generation_mode=mode), headers)


def _send(strategy: Any, headers: dict[str, str]) -> None:
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def sent(case: Any) -> None:
        try:
            case.call_and_validate(headers=headers, checks=[schemathesis.checks.not_a_server_error])
        except FailureGroup as failures:
            raise AssertionError(str(failures.exceptions)) from failures

    sent()
