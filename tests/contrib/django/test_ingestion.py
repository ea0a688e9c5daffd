"""Documents follow models: on commit, never on a rollback, in the background or by a queue."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import override_settings

from rag_app import ProductionRAG, default_app
from rag_app.contrib.django import apply_change, delete_on_commit, ingest_on_commit, wait_for_ingestion
from rag_app.errors import InvalidInputError

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from shop.models import Article as ArticleModel

LOGGER = "rag_app.contrib.django.changes"


@pytest.fixture
def user(tenant: str) -> Iterator[User]:
    user = get_user_model().objects.create_user(tenant[-100:])
    yield user
    user.delete()
    wait_for_ingestion()


def article(user: User, text: str = "ما بورسیه داریم.") -> ArticleModel:
    from shop.models import Article

    return Article.objects.create(user=user, title="بورسیه", text=text)


def stored(user: User) -> list[str]:
    assert wait_for_ingestion(60)
    return [document.doc_id for document in default_app().documents(tenant=str(user.pk), limit=1000).documents]


def test_what_is_saved_is_found_once_it_is_committed(user: User) -> None:
    with transaction.atomic():
        saved = article(user)
        assert stored(user) == []
    assert stored(user) == [f"shop.article:{saved.pk}"]
    result = ProductionRAG.retrieve_context("بورسیه دارین؟", user=user, primary_source="manual")
    assert [chunk["content"] for chunk in result["primary_context"]] == ["ما بورسیه داریم."]
    saved.text = "بورسیه نداریم."
    saved.save()
    stored(user)
    result = ProductionRAG.retrieve_context("بورسیه دارین؟", user=user, primary_source="manual")
    assert [chunk["content"] for chunk in result["primary_context"]] == ["بورسیه نداریم."]


def test_what_is_rolled_back_is_neither_stored_nor_deleted(user: User) -> None:
    kept = article(user)
    doc_id = f"shop.article:{kept.pk}"

    def fail() -> None:
        with transaction.atomic():
            article(user, "هرگز نبود.")
            kept.delete()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert stored(user) == [doc_id]


def test_what_is_deleted_or_emptied_is_gone_once_it_is_committed(user: User) -> None:
    first, second = article(user), article(user)
    assert len(stored(user)) == 2
    with transaction.atomic():
        first.delete()
        second.text = " "
        second.save()
        assert len(stored(user)) == 2
    assert stored(user) == []


def test_of_many_changes_of_a_document_the_last_one_holds(user: User) -> None:
    saved = article(user)
    for number in range(5):
        saved.text = f"نسخه شماره {number} متن."
        saved.save()
    stored(user)
    result = ProductionRAG.retrieve_context("نسخه متن", user=user)
    assert [chunk["content"] for chunk in result["primary_context"]] == ["نسخه شماره 4 متن."]


def test_what_one_commit_changed_is_done_together(user: User) -> None:
    with transaction.atomic():
        saved = [article(user, f"خبر شماره {number}.") for number in range(200)]
        for each in saved[:3]:
            each.delete()
    assert len(stored(user)) == 197
    assert default_app().stats(str(user.pk)).generation < 20  # which moves with each transaction


def test_a_database_that_does_not_answer_is_logged_for_each_document(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = {"database": {"url": "postgresql://127.0.0.1:1/nowhere"}}
    with caplog.at_level(logging.ERROR, LOGGER), override_settings(RAG_APP=nowhere):
        ingest_on_commit(user, tenant=user, text="متن", doc_id="a")
        delete_on_commit(user, tenant=user, doc_id="b")
        assert wait_for_ingestion(60)
    told = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert told == [
        f"document a of tenant {user.pk} was not ingested: DatabaseUnavailableError",
        f"document b of tenant {user.pk} was not deleted: DatabaseUnavailableError",
    ]


def test_a_failure_is_logged_without_the_text_and_hides_nothing(user: User, caplog: pytest.LogCaptureFixture) -> None:
    saved = article(user)
    secret = "متن محرمانه"
    with caplog.at_level(logging.ERROR, LOGGER):
        ingest_on_commit(saved, tenant=user, text=secret, metadata={"of": object()}, doc_id="refused")
        with override_settings(RAG_APP_INGEST="shop.queue.send"):
            ingest_on_commit(saved, tenant=user, text=secret, doc_id="refused")
        assert stored(user) == [f"shop.article:{saved.pk}"]
    told = {record.getMessage() for record in caplog.records if record.name == LOGGER}
    why = "the metadata can not be stored as JSON: Object of type object is not JSON serializable"
    assert told == {
        f"document refused of tenant {user.pk} was not ingested: {why}",
        f"document refused of tenant {user.pk} was not ingested: ConnectionError",
    }
    assert secret not in caplog.text


@override_settings(RAG_APP_INGEST="shop.queue.send")
def test_a_queue_gets_what_a_worker_needs(user: User) -> None:
    from shop import queue

    queue.sent.clear()
    with transaction.atomic():
        saved = article(user)
        assert queue.sent == []
    pk = saved.pk
    saved.delete()
    changes = [json.loads(sent) for sent in queue.sent]
    assert [change["document"] is None for change in changes] == [False, True]
    assert {(change["tenant"], change["doc_id"]) for change in changes} == {(str(user.pk), f"shop.article:{pk}")}
    assert stored(user) == []
    apply_change(changes[0])
    assert stored(user) == [f"shop.article:{pk}"]
    apply_change(changes[1])
    apply_change(changes[1])  # a queue may deliver twice
    assert stored(user) == []


def test_who_is_no_tenant_is_told_at_once(user: User) -> None:
    with pytest.raises(InvalidInputError, match="user must be"):
        ingest_on_commit(user, tenant=get_user_model()(), text="متن")
