"""`rag-app flags` on a real database."""

from __future__ import annotations

import getpass
import json

import pytest
from sqlalchemy import text

from rag_app.errors import ConfigurationError, InvalidInputError
from rag_app.flags import FLAGS
from rag_app.storage import Database
from tests.cli.test_cli import run

SHARE = "production_rag_rollout_percentage"


@pytest.fixture(autouse=True)
def _empty(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    run("db", "upgrade")
    database = Database(url)
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE rag_app.flags, rag_app.flag_changes"))
    database.engine.dispose()


def test_list_shows_every_flag_and_who_set_it() -> None:
    run("flags", "set", "dense_top_k", "30", "--by", "sara")
    run("flags", "set", "production_rag", "on", "--ttl", "60")
    lines = run("flags", "list").splitlines()
    assert [line.split()[0] for line in lines] == list(FLAGS)
    of = {line.split()[0]: line for line in lines}
    assert of["dense_top_k"].split()[1:5] == ["30", "set", "by", "sara"]
    assert "60 s left" in of["production_rag"] or "59 s left" in of["production_rag"]
    assert of["rerank_model"].split() == ["rerank_model", "base", "as", "configured"]
    told = json.loads(run("flags", "list", "--json"))
    assert told["dense_top_k"]["value"] == 30
    assert told["production_rag"]["changed_by"] == getpass.getuser()


def test_get_set_and_unset() -> None:
    assert run("flags", "get", SHARE) == "0 (DEFAULT)\n"
    assert run("flags", "set", SHARE, "12.5") == f"{SHARE} is 12.5\n"
    assert run("flags", "get", SHARE) == "12.5 (STATIC)\n"
    assert run("flags", "set", SHARE, "100", "--ttl", "3600") == f"{SHARE} is 100, for 3600 s\n"
    assert run("flags", "get", "production_rag", "--user", "7") == "true (SPLIT)\n"
    assert json.loads(run("flags", "get", "production_rag", "--user", "7", "--json")) == {
        "flag": "production_rag", "value": True, "variant": "on", "reason": "SPLIT",
    }  # fmt: skip
    assert run("flags", "unset", SHARE) == f"{SHARE} is 0\n"
    assert run("flags", "get", "production_rag", "--user", "7") == "false (DEFAULT)\n"


def test_a_share_that_has_no_effect_is_told() -> None:
    run("flags", "set", "production_rag", "false")
    printed = run("flags", "set", SHARE, "50")
    assert printed.endswith(
        "it has no effect while production_rag is set to false: rag-app flags unset production_rag\n"
    )
    run("flags", "unset", "production_rag")
    assert run("flags", "set", SHARE, "50") == f"{SHARE} is 50\n"


def test_history_tells_who_changed_what() -> None:
    run("flags", "set", "rerank_model", "large", "--by", "sara")
    run("flags", "set", "production_rag", "true", "--ttl", "60", "--by", "omid")
    run("flags", "unset", "rerank_model", "--by", "mina")
    lines = [line.split("  ")[1] for line in run("flags", "history").splitlines()]
    assert lines[0] == "rerank_model: large -> unset, by mina"
    assert lines[1].startswith("production_rag: unset -> true, until 20")
    assert lines[2] == "rerank_model: unset -> large, by sara"
    assert [entry["action"] for entry in json.loads(run("flags", "history", "rerank_model", "--json"))] == [
        "unset",
        "set",
    ]
    assert len(run("flags", "history", "--limit", "1").splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get", "production_rga"), "did you mean 'production_rag'"),
        (("set", SHARE, "101"), "a number from 0 to 100"),
        (("set", "rerank_model", "larg"), "did you mean 'large'"),
        (("set", "production_rag", "yes"), "true or false"),
    ],
)
def test_what_is_not_valid_is_an_error_that_says_what_is(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        run("flags", *arguments)
    assert run("flags", "history") == ""


def test_the_backend_can_be_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_FLAGS__BACKEND", "memory")
    with pytest.raises(ConfigurationError, match="each process has flags of its own"):
        run("flags", "set", SHARE, "5")
    monkeypatch.setenv("RAG_APP_FLAGS__BACKEND", "redis")
    with pytest.raises(ConfigurationError, match=r"set flags\.redis_url too"):
        run("flags", "list")
