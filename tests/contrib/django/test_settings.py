"""Where the settings come from, what is told of bad ones, and that nothing is loaded or opened before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from rag_app import default_app
from rag_app.contrib.django.conf import project_settings
from tests.contrib.django.conftest import PATIENT, Project

HEAVY = ("llama_index", "sqlalchemy", "numpy", "torch", "hazm", "pydantic")


def test_starting_django_loads_nothing_heavy_and_opens_nothing(projects: dict[str, Project], tmp_path: Path) -> None:
    code = (
        "import sys, django, os\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'backend.settings'\n"
        "django.setup()\n"
        "from django.urls import reverse\n"
        "from rag_app import process_app\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], process_app._app)\n"
    )
    done = projects["sqlite"].run("-c", code, PROJECT_RAG_APP=json.dumps({"data_dir": str(tmp_path / "none")}))
    assert (done.returncode, done.stdout) == (0, "[] None\n"), done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"deadline": 3}, "did you mean 'deadline_s'?"),
        ({"rerank": {"modle": "base"}}, "unknown setting of rerank 'modle': did you mean 'model'?"),
        ({"rerank": {"top_k": "many"}}, "rerank.top_k: "),
        ({"profile": "produktion"}, "did you mean 'production'?"),
        ({3: "x"}, "RAG_APP must be a dict of settings by name"),
        (["deadline_s"], "RAG_APP must be a dict of settings by name, not a list"),
    ],
)
def test_a_bad_setting_is_an_error_of_the_system_check(given: Any, told: str) -> None:
    with override_settings(RAG_APP=given):
        (error,) = [found for found in run_checks() if found.id == "rag_app.E001"]
    assert told in error.msg
    assert error.hint


def test_a_bad_setting_stops_commands() -> None:
    with override_settings(RAG_APP={"rernk": {}, "deadline_s": 0}), pytest.raises(SystemCheckError) as raised:
        call_command("check")
    assert "unknown setting 'rernk': did you mean 'rerank'?" in str(raised.value)
    assert "(rag_app.E001) rag_app: deadline_s: " in str(raised.value)


@pytest.mark.parametrize("path", ["shop.queue.snd", "shop.nowhere.send", "shop.queue.sent", 5])
def test_a_hook_that_is_not_there_is_an_error_of_the_system_check(path: object) -> None:
    with override_settings(RAG_APP_INGEST=path):
        assert "rag_app.E002" in [found.id for found in run_checks()]


def test_good_settings_are_no_error() -> None:
    with override_settings(RAG_APP_INGEST="shop.queue.send"):
        assert [found for found in run_checks() if (found.id or "").startswith("rag_app")] == []


def test_settings_are_those_of_rag_app_and_win_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "rag.yaml").write_text("deadline_s: 5\nrerank: {top_k: 4}\n")
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "6")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__DENSE_TOP_K", "9")
    with override_settings(RAG_APP={"config": tmp_path / "rag.yaml", "retrieval": {"dense_top_k": 7}}):
        settings = project_settings()
    assert (settings.deadline_s, settings.rerank.top_k, settings.retrieval.dense_top_k) == (6, 4, 7)


POSTGRES = "postgresql://elsewhere/rag"


@pytest.mark.parametrize(
    ("given", "environment", "url"),
    [
        ({}, {}, None),  # Django's is SQLite: the embedded one
        ({}, {"DATABASE_URL": "sqlite:///db.sqlite3"}, None),
        ({}, {"DATABASE_URL": POSTGRES}, POSTGRES),
        ({}, {"RAG_APP_DATABASE__URL": POSTGRES, "DATABASE_URL": "sqlite:///db.sqlite3"}, POSTGRES),
        ({"database": {"url": POSTGRES}}, {"DATABASE_URL": POSTGRES + "2"}, POSTGRES),
        ({"database": {"pool_size": 9}}, {}, None),
    ],
)
def test_the_database_is_the_one_named_and_else_djangos_if_that_fits(
    given: dict[str, Any], environment: dict[str, str], url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with override_settings(RAG_APP=given):
        found = project_settings().database
    assert (found.url.get_secret_value() if found.url else None) == url
    assert found.pool_size == given.get("database", {}).get("pool_size", 5)


def test_a_test_that_overrides_the_settings_gets_another_application() -> None:
    from django.conf import settings

    before = default_app()
    assert before is default_app()
    with override_settings(RAG_APP={**PATIENT, "database": settings.RAG_APP["database"], "deadline_s": 11}):
        assert default_app().settings.deadline_s == 11
    assert default_app().settings.deadline_s == PATIENT["deadline_s"]
