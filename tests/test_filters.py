from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from rag_app import RagApp
from rag_app.errors import InvalidInputError
from rag_app.filters import FieldFilter, parse_filters
from rag_app.schema import RetrievalQuery, RetrievalResult
from rag_app.serving import Method
from rag_app.simple_pipeline import SimplePipeline

BRANDS: dict[str, Any] = {
    "sony": "سونی",
    "digits": "123",
    "number": 123,
    "persian-digits": "۱۲۳",
    "float": 123.5,
    "true": True,
    "one": 1,
    "exponent": "1e3",
    "thousand": "1000",
    "list": ["سونی", "ال‌جی"],
    "quote": "x' OR '1'='1",
    "long": "ب" * 10_000,
    "none": None,
    "object": {"سونی": 1},
}
TENANT, OTHER = "t", "other"
METHODS: tuple[Method, ...] = ("production_rag", "context_retriever")


@pytest.fixture(scope="module")
def filled(new_database: Callable[[], str]) -> Iterator[RagApp]:
    """Two tenants with the same documents, each of another brand."""
    retrieval = {"filter_keys": ["brand", "size"], "leg_timeout_s": 20}
    with RagApp.from_config(database={"url": new_database()}, deadline_s=30, retrieval=retrieval) as app:
        for tenant in (TENANT, OTHER):
            records = [
                {
                    "id": name,
                    "title": f"گوشی {name}",
                    "text": f"این گوشی {name} ضمانت دارد.",
                    "source": "manual" if place % 2 else "faq",
                    "metadata": {"brand": brand, "size": place % 3},
                }
                for place, (name, brand) in enumerate(BRANDS.items())
            ]
            assert not app.ingest(records, tenant=tenant).skipped
        yield app


def ask(app: RagApp, filters: Any, method: Method = "production_rag", **options: Any) -> RetrievalResult:
    budget = {"primary_budget": 100_000, "secondary_budget": 100_000}
    return app.retrieve("ضمانت گوشی", tenant=TENANT, filters=filters, method=method, **budget, **options)


def found(result: RetrievalResult) -> set[str]:
    assert {node.node.metadata["tenant"] for node in result.nodes} <= {TENANT}
    return {node.node.metadata["doc_id"] for node in result.nodes}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("سونی", {"sony", "list"}),
        ("123", {"digits"}),
        (123, {"number"}),
        (123.0, {"number"}),
        ("۱۲۳", {"persian-digits"}),
        (123.5, {"float"}),
        (True, {"true"}),
        (1, {"one"}),
        ("1", set()),
        ("true", set()),
        ("1e3", {"exponent"}),
        ("1000", {"thousand"}),
        (1000, set()),
        ("x' OR '1'='1", {"quote"}),
        ("ب" * 10_000, {"long"}),
        (["سونی", 123, "1e3"], {"sony", "list", "number", "exponent"}),
        ([], set()),
        ("ال‌جی", {"list"}),
    ],
)
def test_a_value_is_compared_with_its_type(filled: RagApp, method: Method, value: Any, names: set[str]) -> None:
    result = ask(filled, {"brand": value}, method)
    assert found(result) == names
    assert not result.degraded
    if not names and method == "production_rag":
        assert result.reason == "no document passes the filters"


def test_both_legs_keep_to_the_filters(filled: RagApp) -> None:
    result = ask(filled, {"brand": ["سونی", "123"]})
    searched = result.trace.chunks.values()
    assert {chunk.doc_id for chunk in searched} == {"sony", "list", "digits"}
    assert all(set(chunk.legs) == {"dense", "bm25"} for chunk in searched)


@pytest.mark.parametrize("method", METHODS)
def test_all_filters_and_the_source_must_be_passed(filled: RagApp, method: Method) -> None:
    filters = {"brand": ["سونی", "123", "1e3"], "size": 0}
    assert found(ask(filled, filters, method)) == {"sony", "list"}
    assert found(ask(filled, filters, method, primary_source="faq")) == {"sony"}
    assert found(ask(filled, filters, method, primary_source="manual", secondary_sources=["faq"])) == {"sony", "list"}


def test_the_fields_of_every_document_can_be_asked_for_without_being_allowed(filled: RagApp) -> None:
    assert found(ask(filled, {"doc_id": ["sony", "one"]})) == {"sony", "one"}
    assert found(ask(filled, {"title": "گوشی one"})) == {"one"}


def test_llama_indexs_filters_are_understood(filled: RagApp) -> None:
    filters = MetadataFilters(
        filters=[
            MetadataFilter(key="brand", value=["سونی", "123"], operator=FilterOperator.IN),
            MetadataFilter(key="doc_id", value="digits"),
        ]
    )
    assert found(ask(filled, filters)) == {"digits"}


def nested() -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilters(filters=[MetadataFilter(key="brand", value="x")])])


def operator(name: FilterOperator, value: Any = "x") -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key="brand", value=value, operator=name)])


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"brnad": "x"}, "unknown filter key 'brnad': did you mean 'brand'"),
        ({"brand' OR 1=1 --": "x"}, "unknown filter key"),
        ({3: "x"}, "unknown filter key '3'"),
        ({10**5000: "x"}, "unknown filter key 'a int'"),
        ({"brand": 10**5000}, "holds a number of"),
        ({"brand": [[10**5000]]}, "must be text, a number or a boolean, not a list"),
        ({"brand": None}, "must be text, a number or a boolean, not None"),
        ({"brand": {"a": 1}}, "must be text, a number or a boolean"),
        ({"brand": ["x", ["y"]]}, "must be text, a number or a boolean"),
        ({"brand": float("nan")}, "must be text, a number or a boolean"),
        ({"brand": "a\0b"}, "NUL"),
        ({"brand": "\ud800"}, "lone surrogates"),
        ({"brand": ["x"] * 1001}, "1001 values; the limit is 1000"),
        ("brand=x", "must map keys to values"),
        (nested(), "filters within filters"),
        (operator(FilterOperator.GT), "operators '==' and 'in', not '>'"),
        (operator(FilterOperator.IN), "needs a list with 'in'"),
        (operator(FilterOperator.EQ, ["x"]), "needs a list with 'in'"),
        (MetadataFilters(filters=[], condition=FilterCondition.OR), "joined by 'and', not by 'or'"),
    ],
)
def test_a_filter_that_can_not_be_used_is_refused(filled: RagApp, filters: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ask(filled, filters)


def test_an_error_names_the_setting_that_allows_keys() -> None:
    with pytest.raises(InvalidInputError, match=r"allow further keys by retrieval.filter_keys"):
        parse_filters({"brand": "x"}, ())


@given(
    st.dictionaries(
        st.sampled_from(["a", "b"]), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    )
)
def test_what_is_allowed_stays_as_it_is(given_filters: dict[str, str]) -> None:
    parsed = parse_filters(given_filters, ("a", "b"))
    assert parsed == tuple(FieldFilter(key, (value,)) for key, value in given_filters.items())


def test_a_query_whose_filters_nobody_resolved_is_refused_by_the_legs(filled: RagApp) -> None:
    query = RetrievalQuery("گوشی", tenant=TENANT, filters=parse_filters({"doc_id": "sony"}, ()))
    for leg in filled.pipeline.retriever.legs.values():
        with pytest.raises(InvalidInputError, match="nobody found out which documents pass"):
            filled.loop.call(leg.aretrieve, query)


def test_without_its_catalog_the_fallback_answers_no_query_with_filters(filled: RagApp) -> None:
    simple = filled.service.simple

    class Broken:
        async def asnapshot(self, tenant: str) -> None:
            raise RuntimeError

    broken: Any = Broken()
    pipeline = SimplePipeline(catalog=broken, retriever=simple.retriever, budget=simple.budget, writer=simple.writer)
    query = RetrievalQuery("گوشی", tenant=TENANT, filters=parse_filters({"doc_id": "sony"}, ()))
    result = filled.loop.call(pipeline.arun, query)
    assert (result.nodes, result.failure) == ((), "InvalidInputError")


def test_a_key_that_no_database_stores_is_refused_though_it_is_allowed() -> None:
    for key in ("a\0b", "\ud800"):
        with pytest.raises(InvalidInputError, match="NUL characters or lone surrogates"):
            parse_filters({key: "x"}, (key,))
