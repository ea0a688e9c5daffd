from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag_app import RagApp
from rag_app.retrievers.bm25 import cache
from rag_app.schema import RetrievalQuery

NOTES = [
    {"id": "a", "text": "شهریه کلاس‌ها را می‌توانید قسطی بپردازید"},
    {"id": "b", "text": "ارسال کتاب با پست پیشتاز"},
    {"id": "c", "text": "استرداد سفارش پس از لغو"},
]


@pytest.mark.parametrize(
    ("typed", "doc_id"),
    [
        ("ghesti", "a"),
        ("qesty mishe?", "a"),
        ("کلاسهاتون", "a"),
        ("استراداد", "c"),
        ("esterdad", "c"),
        ("هزینه", "a"),
        ("ketabarsal پیشتتاز", "b"),
    ],
)
def test_slips_spoken_forms_latin_spellings_and_synonyms_find_the_chunk(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str, typed: str, doc_id: str
) -> None:
    app.ingest(NOTES, tenant=tenant)
    found = app.pipeline.retriever.legs["bm25"].retrieve(ask(typed, tenant))
    assert found[0].node.metadata["doc_id"] == doc_id


@pytest.mark.parametrize("typed", ["سفارش‌ها", "سفارش ها", "سفارشها", "سفارش\u200bها"])
def test_a_half_spaced_word_is_found_however_it_is_typed(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str, typed: str
) -> None:
    app.ingest([{"id": "a", "text": "پیگیری سفارش‌ها"}, {"id": "b", "text": "ساعت کار"}], tenant=tenant)
    found = app.pipeline.retriever.legs["bm25"].retrieve(ask(typed, tenant))
    assert [node.node.metadata["doc_id"] for node in found] == ["a"]


def test_a_filter_of_documents_leaves_only_these(app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str) -> None:
    app.ingest([{"id": name, "text": "ارسال با پست"} for name in "abc"], tenant=tenant)
    query = ask("پست", tenant)
    query.doc_ids = frozenset({"a", "c", "of nobody"})
    found = app.pipeline.retriever.legs["bm25"].retrieve(query)
    assert {node.node.metadata["doc_id"] for node in found} == {"a", "c"}


@pytest.mark.parametrize("large", [1, 10**6])
def test_sixteen_threads_find_what_they_wrote(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(cache, "_REBUILT_CHUNKS", large)
    leg = app.pipeline.retriever.legs["bm25"]
    app.ingest([{"id": f"{name}", "text": "ارسال با پست"} for name in range(30)], tenant=tenant)

    def work(worker: int) -> None:
        for number in range(3):
            own = f"کتاب{'ابپتثجچحخدذرزسشص'[worker]}گلدان{'نوم'[number]}"
            app.ingest([{"id": f"w{worker}", "text": own}], tenant=tenant)
            assert leg.retrieve(ask(own, tenant))[0].node.metadata["doc_id"] == f"w{worker}"
        app.delete(f"w{worker}", tenant=tenant)
        assert f"w{worker}" not in {node.node.metadata["doc_id"] for node in leg.retrieve(ask(own, tenant))}

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
