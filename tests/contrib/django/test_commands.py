"""The management commands, called in this process and by `manage.py`."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line
from django.test import override_settings

from rag_app import default_app
from rag_app.storage import schema_version
from tests.contrib.django.conftest import PATIENT

SHARE = "production_rag_rollout_percentage"


def called(*arguments: str, **options: Any) -> str:
    """Call a command and return what it printed."""
    printed = StringIO()
    call_command(*arguments, stdout=printed, no_color=True, **options)
    return printed.getvalue()


@pytest.fixture
def _no_flags() -> None:
    for name, told in default_app().flags.all().items():
        if told["set"]:
            default_app().flags.unset(name)


def test_the_schema_is_applied_shown_and_applied_again(new_database: Callable[[], str]) -> None:
    latest = schema_version.LATEST
    with override_settings(RAG_APP={"database": {"url": new_database(), "auto_upgrade": False}}):
        assert called("rag_migrate", "--show") == f"none (latest: {latest})\n"
        with pytest.raises(CommandError, match=r"in this project: manage\.py rag_migrate"):
            called("rag_flags", "list")
        assert called("rag_migrate") == f"the schema went from none to {latest}\n"
        assert called("rag_migrate") == f"the schema is at {latest}\n"
        assert called("rag_migrate", "--show") == f"{latest} (latest: {latest})\n"
        assert called("rag_migrate", verbosity=0) == ""
        assert called("rag_flags", "get", SHARE) == "0 (DEFAULT)\n"


def test_documents_are_ingested_for_a_tenant(documents: Path, tenant: str) -> None:
    first = called("rag_ingest", str(documents), "--tenant", tenant)
    assert first.startswith("2 added, 0 updated, 0 unchanged, ")
    assert called("rag_ingest", str(documents), "--tenant", tenant, verbosity=0) == ""
    assert set(default_app().stats(tenant).sources) == {"manual", "faq"}
    one = called("rag_ingest", str(documents / "faq"), "--tenant", tenant, "--source", "faq", "--prune")
    assert "1 deleted" in one
    held = default_app().stats(tenant).sources
    assert {name: counted.documents for name, counted in held.items()} == {"manual": 1, "faq": 1}


def test_what_can_not_be_ingested_is_told_and_is_an_error(tmp_path: Path, tenant: str) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    printed = StringIO()
    with pytest.raises(CommandError, match="nothing was ingested"):
        call_command("rag_ingest", str(tmp_path / "picture.png"), tenant=tenant, stdout=printed)
    assert "skipped" in printed.getvalue()
    with pytest.raises(CommandError, match="tenant is empty"):
        call_command("rag_ingest", str(tmp_path), tenant=" ")


@pytest.mark.usefixtures("_no_flags")
def test_flags_are_shown_and_changed() -> None:
    assert called("rag_flags", "set", SHARE, "25", "--ttl", "60", "--by", "sara") == f"{SHARE} is 25, for 60 s\n"
    default_app().flags.refresh()
    assert default_app().flags.get_value(SHARE) == 25
    (line,) = [line for line in called("rag_flags", "list").splitlines() if line.startswith(SHARE)]
    assert "set by sara" in line
    assert called("rag_flags", "get", "production_rag", "--user", "1").endswith("(SPLIT)\n")
    assert "unset -> 25" in called("rag_flags", "history", SHARE)
    assert called("rag_flags", "unset", SHARE) == f"{SHARE} is 0\n"
    called("rag_flags", "set", "production_rag", "false", verbosity=0)
    assert "manage.py rag_flags unset production_rag" in called("rag_flags", "set", SHARE, "5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get", "production_rga"), "did you mean 'production_rag'"),
        (("set", SHARE, "101"), "a number from 0 to 100"),
        (("set", SHARE), "write manage.py rag_flags set NAME VALUE"),
        (("unset",), "write manage.py rag_flags unset NAME"),
    ],
)
def test_a_flag_that_is_not_valid_is_an_error(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        called("rag_flags", *arguments)


@pytest.mark.usefixtures("ingested", "_no_flags")
def test_everything_is_verified_with_the_settings_of_the_project() -> None:
    printed = called("rag_verify", "--tenant", "1", "--question", "بورسیه دارین؟")
    assert printed.endswith("everything works\n")
    assert "production_rag" in printed
    missing = {**PATIENT, "database": {"url": "postgresql://127.0.0.1:1/nowhere"}}
    with override_settings(RAG_APP=missing), pytest.raises(CommandError, match="something is wrong"):
        called("rag_verify", verbosity=0)


def test_manage_py_uses_djangos_database_where_that_is_postgresql(ingested_by_program: str) -> None:
    assert ingested_by_program.startswith("2 added, ")
    from django.db import connections

    with connections["postgres"].cursor() as cursor:
        cursor.execute("SELECT doc_id FROM rag_app.documents WHERE tenant = '1'")
        assert len(cursor.fetchall()) == 2


def test_manage_py_tells_an_error_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", "rag_flags", "get", "production_rga", "--no-color"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(
        "CommandError: unknown flag 'production_rga': did you mean 'production_rag'?"
    )
