from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from rag_app.storage import Database, KeyStore


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database)


def test_nothing_that_is_stored_gives_a_key_away(store: KeyStore, database: Database) -> None:
    key, secret = store.create("t", "n")
    assert secret.startswith("rag_")
    assert len(secret) == 47
    with database.transaction() as connection:
        row = connection.scalar(text("SELECT to_jsonb(k)::text FROM rag_app.api_keys AS k WHERE id = :id"), vars(key))
    assert secret not in row
    assert secret.removeprefix("rag_") not in row
    assert store.create("t", "n")[1] != secret


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: key + "A",
        lambda key: key[:-1],
        lambda key: key + "\n",
        lambda key: key.swapcase(),
        lambda key: key.removeprefix("rag_"),
        lambda key: "rag_" + "A" * 43,
        lambda key: "rag_' OR true --",
        lambda key: key.replace("rag_", "rag_\0", 1),
        lambda key: "rag_" + "۱" * 43,
    ],
)
def test_only_the_key_itself_is_found(store: KeyStore, change: Callable[[str], str]) -> None:
    key, secret = store.create("t")
    assert store.find(change(secret)) is None
    found = store.find(secret)
    assert found is not None
    assert (found.id, found.tenant) == (key.id, "t")


def test_its_last_use_is_known_to_the_hour(store: KeyStore) -> None:
    key, secret = store.create("hourly")
    assert key.last_used_at is None
    store.find(secret)
    (listed,) = store.list("hourly")
    assert listed.last_used_at is not None
    assert (listed.last_used_at.minute, listed.last_used_at.second) == (0, 0)


@pytest.mark.parametrize("key_id", [0, -1, 2**63, 2**80])
def test_an_id_that_no_key_can_have_revokes_none(store: KeyStore, key_id: int) -> None:
    assert not store.revoke(key_id)
