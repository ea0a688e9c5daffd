from __future__ import annotations

import pytest

from rag_app import RagApp
from rag_app.errors import InvalidInputError

IDS = ["a/b", "a b", "%", "é", "ی", "ي", "z'", "Z", "10", "9"]


def test_the_pages_hold_every_document_once_in_order(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": doc_id, "text": "متن", "source": "s"} for doc_id in IDS], tenant=tenant)
    app.ingest([{"id": "other", "title": "عنوان", "text": "متن", "source": "t"}], tenant=tenant)
    whole = app.documents(tenant=tenant)
    assert whole.next is None
    assert {each.doc_id for each in whole.documents} == {*IDS, "other"}
    paged, after = [], None
    while True:
        page = app.documents(tenant=tenant, limit=3, after=after)
        assert len(page.documents) <= 3
        paged += page.documents
        if (after := page.next) is None:
            break
    assert tuple(paged) == whole.documents
    (other,) = app.documents(tenant=tenant, source="t").documents
    assert (other.doc_id, other.source, other.title, other.chunks) == ("other", "t", "عنوان", 1)
    assert other.updated_at.tzinfo is not None


def test_a_page_that_is_just_full_is_the_last(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": doc_id, "text": "متن"} for doc_id in ("a", "b")], tenant=tenant)
    assert app.documents(tenant=tenant, limit=2).next is None
    assert app.documents(tenant=tenant, limit=1).next == "a"


def test_a_page_survives_what_is_deleted_meanwhile(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": doc_id, "text": "متن"} for doc_id in ("a", "b", "c")], tenant=tenant)
    first = app.documents(tenant=tenant, limit=2)
    app.delete("b", tenant=tenant)
    assert [each.doc_id for each in app.documents(tenant=tenant, after=first.next).documents] == ["c"]


async def test_another_tenants_documents_are_not_listed(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": "a", "text": "متن"}], tenant=tenant)
    assert (await app.adocuments(tenant=f"{tenant}2")).documents == ()


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"source": ""}, {"after": "\0"}, {"tenant": ""}])
def test_a_page_that_can_not_be_is_refused(app: RagApp, tenant: str, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        app.documents(**{"tenant": tenant, **wrong})  # type: ignore[arg-type]
