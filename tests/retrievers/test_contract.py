"""What holds for every retriever."""

from collections.abc import Callable

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import QueryBundle

from rag_app import RagApp
from rag_app.errors import InvalidInputError
from rag_app.filters import parse_filters
from rag_app.retrievers import searching
from rag_app.schema import RetrievalQuery
from tests.conftest import SAMPLE_TENANT

Ask = Callable[..., RetrievalQuery]

SHARED = [
    {"id": "a", "title": "ارسال", "text": "ارسال سفارش با پست پیشتاز سه روز طول می‌کشد.", "source": "manual"},
    {"id": "b", "title": "مرجوعی", "text": "کالا را تا هفت روز می‌توانید با پست برگردانید.", "source": "faq"},
]


def test_it_returns_own_chunks_best_first(retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str) -> None:
    app.ingest(SHARED, tenant=tenant)
    found = retriever.retrieve(ask("ارسال با پست پیشتاز", tenant))
    assert found[0].node.metadata["doc_id"] == "a"
    scores = [node.score or 0 for node in found]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


def test_two_tenants_with_the_same_texts_see_only_their_own(
    retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str
) -> None:
    other = f"{tenant[:-2]}~2"
    for owner in (tenant, other):
        app.ingest(SHARED, tenant=owner)
    ids = {}
    for owner in (tenant, other):
        found = retriever.retrieve(ask("ارسال با پست", owner))
        assert {node.node.metadata["tenant"] for node in found} == {owner}
        ids[owner] = {node.node.node_id for node in found}
        assert len(ids[owner]) == 2
    assert not ids[tenant] & ids[other]


def test_a_source_filter_leaves_only_that_source(retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str) -> None:
    app.ingest(SHARED, tenant=tenant)
    found = retriever.retrieve(ask("پست", tenant, ("faq",)))
    assert [node.node.metadata["doc_id"] for node in found] == ["b"]


def test_a_filter_of_documents_leaves_only_these(retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str) -> None:
    app.ingest([{**SHARED[0], "id": name} for name in "abc"], tenant=tenant)
    for allowed in ({"a", "c"}, {"b"}, set()):
        query = ask("ارسال با پست", tenant)
        query.doc_ids = frozenset({*allowed, "of nobody"})
        assert {node.node.metadata["doc_id"] for node in retriever.retrieve(query)} == allowed


def test_no_more_than_asked_for_are_returned_and_these_are_the_best(
    retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str
) -> None:
    texts = ["ارسال با پست", "ارسال کتاب با پست", "ارسال کتاب و مجله با پست", "کتاب با پست"]
    app.ingest([{"id": str(place), "text": text} for place, text in enumerate(texts)], tenant=tenant)
    every = retriever.retrieve(ask("ارسال با پست", tenant))
    assert len(every) == 4
    best = retriever.retrieve(ask("ارسال با پست", tenant, top_k=2))
    assert [node.node.node_id for node in best] == [node.node.node_id for node in every[:2]]


async def test_async_in_a_running_loop_equals_sync(
    retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str
) -> None:
    app.ingest(SHARED, tenant=tenant)
    query = ask("ارسال با پست", tenant)
    there = retriever.retrieve(query)  # a loop is running in this thread, as in Jupyter
    here = await app.loop.acall(retriever.aretrieve, query)
    assert [node.node.node_id for node in there] == [node.node.node_id for node in here]
    assert [node.score for node in there] == pytest.approx([node.score for node in here])  # sums need not be exact
    assert there


@pytest.mark.parametrize("text", ["؟!…", "\u200c", "😀", "xqzw" * 200])
def test_a_query_without_a_known_word_is_no_error(
    retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str, text: str
) -> None:
    app.ingest(SHARED, tenant=tenant)
    assert all(node.node.metadata["tenant"] == tenant for node in retriever.retrieve(ask(text, tenant)))


def test_an_unknown_tenant_is_empty(retriever: BaseRetriever, ask: Ask, tenant: str) -> None:
    assert retriever.retrieve(ask("ارسال", tenant)) == []


def test_what_was_deleted_is_gone_and_what_was_added_is_there(
    retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str
) -> None:
    app.ingest(SHARED, tenant=tenant)
    retriever.retrieve(ask("پست", tenant))
    assert app.delete("a", tenant=tenant)
    assert [node.node.metadata["doc_id"] for node in retriever.retrieve(ask("پست", tenant))] == ["b"]
    app.ingest([{**SHARED[0], "id": "c"}], tenant=tenant)
    assert {node.node.metadata["doc_id"] for node in retriever.retrieve(ask("پست", tenant))} == {"b", "c"}


def test_what_was_changed_is_found_by_its_new_words_alone(
    retriever: BaseRetriever, app: RagApp, ask: Ask, tenant: str
) -> None:
    app.ingest(SHARED, tenant=tenant)
    before = retriever.retrieve(ask("پیشتاز", tenant))[0]
    assert before.node.metadata["doc_id"] == "a"
    app.ingest([{**SHARED[0], "text": "دوره‌های تابستانه نقاشی.", "source": "faq"}], tenant=tenant)
    after = retriever.retrieve(ask("نقاشی تابستانه", tenant, ("faq",)))[0]
    assert (after.node.metadata["doc_id"], after.node.get_content()) == ("a", "دوره‌های تابستانه نقاشی.")
    again = [
        node.score or 0 for node in retriever.retrieve(ask("پیشتاز", tenant)) if node.node.metadata["doc_id"] == "a"
    ]
    assert all(score < 0.5 * (before.score or 0) for score in again)


@pytest.mark.parametrize("query", [QueryBundle("ارسال"), RetrievalQuery("ارسال"), RetrievalQuery("ارسال", tenant=" ")])
def test_a_query_that_names_no_tenant_is_refused(retriever: BaseRetriever, query: QueryBundle) -> None:
    with pytest.raises(InvalidInputError, match="tenant"):
        retriever.retrieve(query)


async def test_a_query_that_is_not_ready_is_refused_though_nobody_listens(retriever: BaseRetriever) -> None:
    with pytest.raises(InvalidInputError, match="tenant"):
        await searching.ask(retriever, RetrievalQuery("ارسال"))
    unresolved = RetrievalQuery("ارسال", tenant=SAMPLE_TENANT, filters=parse_filters({"doc_id": "a"}, ()))
    with pytest.raises(InvalidInputError, match="nobody found out which documents pass"):
        await searching.ask(retriever, unresolved)
