"""OpenFeature's own client on our provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from rag_app.flags import FlagService, MemoryFlagStore, in_rollout
from rag_app.flags.openfeature import RagAppProvider


@pytest.fixture
def service() -> Iterator[FlagService]:
    made = FlagService(MemoryFlagStore())
    yield made
    made.close()


@pytest.fixture
def client(service: FlagService) -> Iterator[OpenFeatureClient]:
    api.set_provider(RagAppProvider(service))
    yield api.get_client()
    api.clear_providers()


def test_values_of_every_type(client: OpenFeatureClient, service: FlagService) -> None:
    service.set("production_rag_rollout_percentage", 12.5)
    assert client.get_boolean_value("cross_encoder_reranking", False) is True
    assert client.get_string_value("rerank_model", "none") == "base"
    assert client.get_integer_value("dense_top_k", 1) == 20
    assert client.get_float_value("production_rag_rollout_percentage", 0.0) == 12.5
    assert client.get_float_value("dense_top_k", 0.0) == 20.0


def test_the_targeting_key_is_the_user(client: OpenFeatureClient, service: FlagService) -> None:
    service.set("production_rag_rollout_percentage", 50)
    for user in map(str, range(50)):
        details = client.get_boolean_details("production_rag", False, EvaluationContext(user))
        assert details.value is in_rollout("production_rag", user, 50)
        assert (details.reason, details.variant) == ("SPLIT", "on" if details.value else "off")
    assert client.get_boolean_details("production_rag", True).reason == "DEFAULT"


async def test_its_asynchronous_calls(client: OpenFeatureClient) -> None:
    assert await client.get_integer_value_async("rerank_top_k", 1) == 8


def test_errors_give_the_callers_default_and_a_code(client: OpenFeatureClient) -> None:
    unknown = client.get_boolean_details("production_rga", True)
    assert (unknown.value, unknown.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    assert "did you mean 'production_rag'" in (unknown.error_message or "")
    for details in (
        client.get_boolean_details("dense_top_k", True),
        client.get_string_details("dense_top_k", "x"),
        client.get_integer_details("cross_encoder_reranking", 5),
        client.get_float_details("rerank_model", 5.0),
        client.get_object_details("rerank_model", {"a": 1}),
    ):
        assert details.error_code == ErrorCode.TYPE_MISMATCH
        assert details.reason == "ERROR"
