from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from rag_app.cli.commands import app as commands
from rag_app.errors import InvalidInputError
from rag_app.storage import Database, KeyStore


@pytest.fixture
def url(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    made = new_database()
    monkeypatch.setenv("DATABASE_URL", made)
    return made


@pytest.fixture
def run(url: str) -> Callable[..., str]:
    def invoke(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(commands, ["keys", *arguments])
        if isinstance(result.exception, InvalidInputError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return invoke


def test_a_key_is_shown_once_and_is_valid_until_it_is_revoked(run: Callable[..., str], url: str) -> None:
    secret = run("create", "--tenant", "فروشگاه").strip()
    other = json.loads(run("create", "--tenant", "t2", "--name", "وبگاه", "--json"))
    database = Database(url)
    store = KeyStore(database)
    found = store.find(secret)
    assert found is not None
    assert (found.tenant, found.name) == ("فروشگاه", "default")
    assert (other["tenant"], other["name"], other["revoked_at"]) == ("t2", "وبگاه", None)
    shown = run("list") + run("list", "--json")
    assert secret not in shown
    assert other["key"] not in shown
    assert [key["id"] for key in json.loads(run("list", "--tenant", "t2", "--json"))] == [other["id"]]
    first, second = run("list").splitlines()
    assert "last used 20" in first
    assert "never used" in second

    assert run("revoke", str(found.id)) == f"key {found.id} is revoked\n"
    assert store.find(secret) is None
    assert "revoked 20" in run("list").splitlines()[0]
    assert json.loads(run("revoke", str(found.id), "--json", code=1)) == {"revoked": False}
    assert "there is no valid key 999" in run("revoke", "999", code=1)
    assert store.find(other["key"]) is not None
    database.engine.dispose()


def test_a_key_needs_a_tenant_that_can_be_one(run: Callable[..., str]) -> None:
    with pytest.raises(InvalidInputError, match="tenant is empty"):
        run("create", "--tenant", " ")
    run("create", code=2)
    assert run("list") == ""
