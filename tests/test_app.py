"""The application from outside: ingest, retrieve, delete, two tenants, and bad input."""

import asyncio
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rag_app import RagApp
from rag_app.errors import ConfigurationError, InvalidInputError
from rag_app.schema import RetrievalResult
from tests.conftest import INSTITUTE, SAMPLE_TENANT
from tests.models import save_cross_encoder

NOTE = {"id": "m1", "title": "ارسال", "text": "ارسال سفارش تا سه روز کاری طول می‌کشد.", "source": "manual"}
FAQ = {"id": "f1", "title": "ارسال", "text": "ارسال سفارش رایگان است.", "source": "faq"}


def doc_ids(result: RetrievalResult) -> list[str]:
    return [node.node.metadata["doc_id"] for node in result.nodes]


def assert_empty(result: RetrievalResult, reason: str) -> None:
    assert (result.nodes, result.context, result.tokens) == ((), "", 0)
    assert reason in (result.reason or "")


def test_what_was_ingested_is_found(app: RagApp, tenant: str) -> None:
    report = app.ingest([NOTE], tenant=tenant)
    result = app.retrieve("ارسال چند روز طول میکشه؟", tenant=tenant)
    assert (report.added, report.chunks, report.skipped) == (1, 1, ())
    assert doc_ids(result) == ["m1"]
    assert NOTE["text"] in result.context
    assert result.reason is None
    assert not result.degraded


def test_two_tenants_with_the_same_texts_see_only_their_own(app: RagApp, tenant: str) -> None:
    tenants = [tenant, f"{tenant[:-2]}~2"]
    for owner in tenants:
        app.ingest([NOTE, {**FAQ, "id": f"f-{owner[-1]}"}], tenant=owner)
    for owner in tenants:
        result = app.retrieve("ارسال سفارش", tenant=owner)
        assert {node.node.metadata["tenant"] for node in result.nodes} == {owner}
        assert sorted(doc_ids(result)) == sorted(["m1", f"f-{owner[-1]}"])
        assert all(set(chunk.legs) == {"dense", "bm25"} for chunk in result.trace.chunks.values())
    app.delete("m1", tenant=tenants[0])
    assert doc_ids(app.retrieve("ارسال سفارش", tenant=tenants[0])) == [f"f-{tenants[0][-1]}"]
    assert "m1" in doc_ids(app.retrieve("ارسال سفارش", tenant=tenants[1]))


def test_primary_comes_first_and_other_sources_stay_out(app: RagApp, tenant: str) -> None:
    app.ingest([NOTE, FAQ, {**NOTE, "id": "w1", "source": "website"}], tenant=tenant)
    found = app.retrieve("ارسال سفارش", tenant=tenant, primary_source="faq", secondary_sources=["manual"])
    assert doc_ids(found) == ["f1", "m1"]
    assert doc_ids(app.retrieve("ارسال سفارش", tenant=tenant, primary_source="manual")) == ["m1"]


async def test_the_async_calls_do_the_same(app: RagApp, tenant: str) -> None:
    await app.aingest([NOTE, FAQ], tenant=tenant)
    result = await app.aretrieve("ارسال سفارش", tenant=tenant, primary_source="manual", secondary_sources=["faq"])
    assert doc_ids(result) == ["m1", "f1"]
    assert await app.adelete("m1", tenant=tenant)
    assert not await app.adelete("m1", tenant=tenant)


async def test_the_sync_call_works_inside_a_running_loop(app: RagApp) -> None:
    assert app.retrieve("بورسیه دارین؟", tenant=SAMPLE_TENANT).nodes


def test_each_new_loop_may_use_the_same_application(app: RagApp) -> None:
    for _ in range(3):
        assert asyncio.run(app.aretrieve("بورسیه دارین؟", tenant=SAMPLE_TENANT)).nodes


def test_the_samples_questions_find_their_documents(app: RagApp, questions: list[dict[str, Any]]) -> None:
    found = {}
    for question in questions:
        result = app.retrieve(
            question["text"],
            tenant=SAMPLE_TENANT,
            primary_source=question["primary_source"],
            secondary_sources=question["secondary_sources"],
        )
        found[question["id"]] = bool(set(doc_ids(result)) & set(question["relevant"]))
    # q11 has no answer.
    assert [question_id for question_id, hit in found.items() if not hit] == ["q11"]


def test_a_lexicon_file_adds_synonyms_for_one_tenant(new_database: Callable[[], str], tmp_path: Path) -> None:
    file = tmp_path / "lexicon.yaml"
    file.write_text("tenants: {shop: {synonyms: [[قرنطیفول, رایگان]]}}", "utf-8")
    with RagApp.from_config(
        database={"url": new_database()},
        query_analysis={"lexicon": file},
        deadline_s=30,
        retrieval={"leg_timeout_s": 20},
    ) as app:
        for owner in ("shop", "school"):
            app.ingest([NOTE, FAQ], tenant=owner)
        results = {owner: app.retrieve("قرنطیفول", tenant=owner) for owner in ("shop", "school")}
    found = {
        owner: {node_id.doc_id for node_id in result.trace.chunks.values() if "bm25" in node_id.legs}
        for owner, result in results.items()
    }
    assert found == {"shop": {"f1"}, "school": set()}
    assert doc_ids(results["shop"])[0] == "f1"


def test_a_lexicon_that_can_not_be_used_is_a_clear_error(new_database: Callable[[], str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml can not be read"):
        RagApp.from_config(database={"url": new_database()}, query_analysis={"lexicon": tmp_path / "nowhere.yaml"})


def test_the_cross_encoder_serves_when_it_is_switched_on(new_database: Callable[[], str], tmp_path: Path) -> None:
    model = save_cross_encoder(tmp_path, [path.read_text("utf-8") for path in (INSTITUTE / "documents").rglob("*.md")])
    with RagApp.from_config(
        database={"url": new_database()},
        rerank={"kind": "cross_encoder", "model": str(model)},
        deadline_s=30,
        retrieval={"leg_timeout_s": 20},
    ) as app:
        app.ingest([NOTE, FAQ], tenant="t")
        result = app.retrieve("ارسال سفارش", tenant="t")
    assert result.trace.reranker == "cross_encoder"
    assert len(result.nodes) == 2
    assert not result.degraded
    assert app.pipeline.rerankers["cross_encoder"].loaded_model is None  # closed with the application


def test_eager_loading_is_done_when_the_application_is_open_and_a_failure_is_told(
    new_database: Callable[[], str], cross_encoder_folder: Path, tmp_path: Path
) -> None:
    for folder, state in ((cross_encoder_folder, "ready"), (tmp_path, "failed")):
        rerank = {"kind": "cross_encoder", "model": str(folder), "load": "eager", "precision": "fp32"}
        with RagApp.from_config(database={"url": new_database()}, rerank=rerank) as app:
            (status,) = app.warm_up()
            assert status.state == state
            assert (status.error is None) == (state == "ready")


def test_a_cross_encoder_that_is_not_there_degrades_to_the_lexical_reranker(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    with RagApp.from_config(
        database={"url": new_database()},
        rerank={"kind": "cross_encoder", "model": str(tmp_path)},
        deadline_s=30,
        retrieval={"leg_timeout_s": 20},
    ) as app:
        app.ingest([NOTE], tenant="t")
        result = app.retrieve("ارسال سفارش", tenant="t")
    assert doc_ids(result) == ["m1"]
    assert result.trace.reranker == "lexical"
    assert [(d.component, d.reason, d.fallback) for d in result.trace.degradations] == [
        ("cross_encoder", "model files broken", "lexical")
    ]


def test_no_full_collection_walks_a_model_that_was_loaded(
    new_database: Callable[[], str], cross_encoder_folder: Path
) -> None:
    rerank = {"kind": "cross_encoder", "model": str(cross_encoder_folder), "precision": "fp32"}
    with RagApp.from_config(database={"url": new_database()}, rerank=rerank) as app:
        assert app.warm_up()[0].state == "ready"
        assert not any(issubclass(type(each), torch.nn.Module) for each in gc.get_objects())


def test_garbage_is_collected_though_what_was_loaded_is_out_of_reach(new_database: Callable[[], str]) -> None:
    class Circle:
        def __init__(self) -> None:
            self.itself = self

    with RagApp.from_config(database={"url": new_database()}):
        circles = [Circle() for _ in range(2000)]
        alive = weakref.WeakSet(circles)
        gc.collect(1)  # they are old when they become garbage, as what a failure leaves is
        del circles
        for _ in range(200):
            _kept = [[] for _ in range(1000)]
        assert not alive


def test_closing_twice_is_fine(new_database: Callable[[], str]) -> None:
    with RagApp.from_config(database={"url": new_database()}) as app:
        app.close()


def test_a_process_that_never_closes_the_application_still_ends(new_database: Callable[[], str]) -> None:
    code = "from rag_app import RagApp; app = RagApp.from_config(); print(app.retrieve('سلام', tenant='t').reason)"
    environment = {**os.environ, "DATABASE_URL": new_database()}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "has no documents" in done.stdout


@pytest.mark.parametrize("query", ["", "   ", "\n\t"])
def test_an_empty_query_is_an_empty_result(app: RagApp, query: str) -> None:
    assert_empty(app.retrieve(query, tenant=SAMPLE_TENANT), "the query is empty")


def test_a_tenant_without_documents_is_an_empty_result_that_says_why(app: RagApp, tenant: str) -> None:
    assert_empty(app.retrieve("ارسال", tenant=tenant), "nothing was ever ingested for it")
    app.ingest([NOTE], tenant=tenant)
    app.delete("m1", tenant=tenant)
    assert_empty(app.retrieve("ارسال", tenant=tenant), "all were deleted")


def test_an_unknown_source_is_named_with_the_nearest_one(app: RagApp) -> None:
    result = app.retrieve("ارسال کتاب", tenant=SAMPLE_TENANT, primary_source="manul")
    assert_empty(result, "unknown source 'manul': did you mean 'manual'? valid: faq, manual, products, website")
    result = app.retrieve("ارسال کتاب", tenant=SAMPLE_TENANT, primary_source="manul", secondary_sources=["faq"])
    assert {node.node.metadata["source"] for node in result.nodes} == {"faq"}
    assert "did you mean 'manual'?" in result.trace.warnings[0]


def test_a_budget_of_nothing_is_an_empty_result(app: RagApp) -> None:
    result = app.retrieve("ارسال", tenant=SAMPLE_TENANT, primary_budget=0, secondary_budget=0)
    assert_empty(result, "the token budget is 0")
    result = app.retrieve("ارسال", tenant=SAMPLE_TENANT, primary_budget=5, secondary_budget=0)
    assert_empty(result, "no chunk fits the budget of 5 tokens")


def test_a_call_has_the_time_that_it_names(app: RagApp) -> None:
    assert app.retrieve("ارسال", tenant=SAMPLE_TENANT, deadline_s=1e-6).degraded
    assert app.answer("ارسال", tenant=SAMPLE_TENANT, deadline_s=1e-6).retrieved.result.degraded
    assert not app.retrieve("ارسال", tenant=SAMPLE_TENANT, deadline_s=None).degraded


def test_no_match_is_an_empty_result(app: RagApp, tenant: str) -> None:
    app.ingest([NOTE], tenant=tenant)
    assert_empty(app.retrieve("؟!", tenant=tenant), "no chunk matches the query")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": None}, "query must be a string"),
        ({"tenant": ""}, "tenant is empty"),
        ({"tenant": 7}, "tenant must be a string, not int"),
        ({"tenant": "a\0b"}, "control characters"),
        ({"tenant": "a" * 201}, "201 characters; the limit is 200"),
        ({"primary_budget": -1}, "primary_budget must be 0 or more tokens, not -1"),
        ({"secondary_budget": "600"}, "secondary_budget must be 0 or more tokens, not the str '600'"),
        ({"primary_source": 3}, "source must be a string"),
        ({"primary_source": "faq", "secondary_sources": "manual"}, "must be a list of sources"),
        ({"secondary_sources": ["manual"]}, "need a primary_source"),
        *(({"deadline_s": value}, "deadline_s must be seconds above 0") for value in (0, -1, float("nan"), True, "2")),
    ],
)
def test_an_argument_that_can_not_be_used_is_a_clear_error(
    app: RagApp, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        app.retrieve(**{"query": "ارسال", "tenant": SAMPLE_TENANT, **arguments})


@pytest.mark.parametrize(
    "query",
    ["\ud800 ارسال", "ارسال\0", "' OR '1'='1", "a" * 100_000, "\u202e\u200f ارسال 😀", "%s :tenant {} $1"],
)
def test_a_strange_query_is_still_answered(app: RagApp, query: str) -> None:
    result = app.retrieve(query, tenant=SAMPLE_TENANT)
    assert not result.degraded
    assert all(node.node.metadata["tenant"] == SAMPLE_TENANT for node in result.nodes)
