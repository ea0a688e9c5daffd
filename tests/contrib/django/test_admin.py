"""The admin, by Django's test client, on rag_app's own database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from rag_app import default_app
from tests.contrib.django.conftest import PATIENT

SHARE = "production_rag_rollout_percentage"
FLAGS, DOCUMENTS = "/admin/rag_app/flag/", "/admin/rag_app/document/"


@pytest.fixture
def sara() -> Client:
    """A superuser."""
    return signed_in("sara")


@pytest.fixture
def omid() -> Iterator[Client]:
    """A member of the staff, who may do what a test says."""
    yield signed_in("omid")
    user("omid").user_permissions.clear()


def user(name: str) -> Any:
    return get_user_model().objects.get(username=name)


def log() -> Any:
    """The log of the admin."""
    return apps.get_model("admin", "LogEntry").objects


def signed_in(name: str, **options: bool) -> Client:
    client = Client(**options)
    client.force_login(user(name))
    return client


def allow(name: str, *codenames: str) -> None:
    permissions = apps.get_model("auth", "Permission").objects.filter(codename__in=codenames)
    user(name).user_permissions.set(permissions)


def shown(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.content.decode()
    return response.content.decode()


def test_flags_are_listed_and_changed_in_the_name_of_the_user(sara: Client) -> None:
    assert FLAGS in shown(sara, "/admin/")
    assert DOCUMENTS in shown(sara, "/admin/")
    default_app().flags.unset(SHARE)
    listed = shown(sara, FLAGS)
    assert all(name in listed for name in default_app().flags.all())
    assert "a number from 0 to 100" in shown(sara, f"{FLAGS}{SHARE}/change/")
    changed = sara.post(f"{FLAGS}{SHARE}/change/", {"value": "20", "ttl": "3600"})
    assert changed.headers["Location"] == FLAGS
    told = default_app().flags.all()[SHARE]
    assert (told["value"], told["changed_by"]) == (20, "sara")
    assert 3500 < told["expires_in_s"] <= 3600
    listed = shown(sara, FLAGS)
    assert "set by sara at " in listed
    assert f"The flag {SHARE} is 20, for 3600 s" in listed
    sara.post(f"{FLAGS}{SHARE}/change/", {"_unset": "1"})
    assert not default_app().flags.all()[SHARE]["set"]
    history = shown(sara, f"{FLAGS}{SHARE}/history/")
    assert "<td>20</td><td>unset</td>" in history
    assert "<bdi>sara</bdi>" in history
    entry = log().filter(object_id=SHARE).latest("pk")
    assert entry.user.get_username() == "sara"
    assert SHARE in shown(sara, entry.get_admin_url())


def test_a_switch_is_chosen_and_an_invalid_value_is_told(sara: Client) -> None:
    assert '<option value="false" selected>' in shown(sara, f"{FLAGS}production_rag/change/")
    for value, ttl in (("101", ""), ("many", ""), ("10", "-1"), ("10", "nan")):
        response = sara.post(f"{FLAGS}{SHARE}/change/", {"value": value, "ttl": ttl})
        assert response.status_code == 200
        assert "errorlist" in response.content.decode(), (value, ttl)
    assert sara.get(f"{FLAGS}production_rga/change/").status_code == 404
    assert sara.get(f"{FLAGS}production_rga/history/").status_code == 404


def test_permissions_of_django_hold(omid: Client) -> None:
    paths = (FLAGS, f"{FLAGS}{SHARE}/change/", f"{FLAGS}{SHARE}/history/", DOCUMENTS)
    assert [omid.get(path).status_code for path in paths] == [403] * 4
    allow("omid", "view_flag", "view_document")
    assert [omid.get(path).status_code for path in paths] == [200] * 4
    assert 'name="value"' not in shown(omid, f"{FLAGS}{SHARE}/change/")
    assert omid.post(f"{FLAGS}{SHARE}/change/", {"value": "50"}).status_code == 403
    assert omid.post(f"{DOCUMENTS}delete/", {"tenant": "1", "doc_id": "x", "confirmed": "1"}).status_code == 403
    assert default_app().flags.get_value(SHARE) != 50
    allow("omid", "change_flag")
    assert omid.post(f"{FLAGS}{SHARE}/change/", {"value": "50"}).status_code == 302
    assert default_app().flags.all()[SHARE]["changed_by"] == "omid"
    default_app().flags.unset(SHARE)
    assert Client().get(FLAGS).headers["Location"].startswith("/admin/login/")
    strict = signed_in("sara", enforce_csrf_checks=True)
    assert strict.post(f"{FLAGS}{SHARE}/change/", {"value": "50"}).status_code == 403


def test_documents_are_listed_by_tenant_page_by_page(
    sara: Client, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_app.contrib.django.admin.documents.PAGE", 2)
    default_app().ingest(
        [
            {"id": f"d{number}", "title": f"عنوان <{number}>", "text": "متن", "source": "manual" if number else "faq"}
            for number in range(3)
        ],
        tenant=tenant,
    )
    asked = shown(sara, DOCUMENTS)
    assert 'name="tenant"' in asked
    assert "There are none" not in asked
    response = sara.get(DOCUMENTS, {"tenant": tenant})
    page = response.content.decode()
    assert "عنوان &lt;0&gt;" in page
    assert 'value="d2"' not in page
    following = shown(sara, DOCUMENTS + response.context["next_url"])
    assert 'value="d2"' in following
    assert 'value="d1"' not in following
    assert 'value="d0"' not in sara.get(DOCUMENTS, {"tenant": tenant, "source": "manual"}).content.decode()
    assert "There are none" in sara.get(DOCUMENTS, {"tenant": "nobody"}).content.decode()


def test_documents_are_deleted_once_that_is_confirmed(sara: Client, tenant: str) -> None:
    default_app().ingest([{"id": name, "text": "متن"} for name in ("a", "b", "c")], tenant=tenant)
    chosen = {"tenant": tenant, "source": "", "doc_id": ["a", "c"]}
    asked = sara.post(f"{DOCUMENTS}delete/", chosen).content.decode()
    assert asked.count('name="doc_id"') == 2
    assert default_app().stats(tenant).documents == 3
    done = sara.post(f"{DOCUMENTS}delete/", {**chosen, "confirmed": "1"}, follow=True).content.decode()
    assert "2 documents deleted" in done
    assert [found.doc_id for found in default_app().documents(tenant=tenant).documents] == ["b"]
    entries = log().filter(change_message=f"of tenant {tenant}")
    assert {entry.object_id for entry in entries} == {"a", "c"}
    nothing = sara.post(f"{DOCUMENTS}delete/", {"tenant": tenant}, follow=True).content.decode()
    assert "No documents were chosen" in nothing


def test_a_database_that_does_not_answer_is_told(sara: Client) -> None:
    with override_settings(RAG_APP={**PATIENT, "database": {"url": "postgresql://127.0.0.1:1/nowhere"}}):
        for path in (FLAGS, f"{DOCUMENTS}?tenant=1"):
            response = sara.get(path)
            assert response.status_code == 503
            assert "does not answer" in response.content.decode()
