"""The server while the network to the database is silent, and how the time that it waits is reckoned."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from rag_app import RagApp
from rag_app.errors import DatabaseUnavailableError
from rag_app.server import auth
from rag_app.storage import Database, KeyStore
from tests.network import Network, network
from tests.server.conftest import RECORDS
from tests.server.running import Running, running

QUESTION = "ارسال چند روز طول میکشه؟"


@pytest.fixture(scope="module")
def silenced(new_database: Callable[[], str]) -> Iterator[tuple[Running, Network]]:
    """A server, and the network to its database."""
    with (
        network(new_database()) as way,
        RagApp.from_config(database={"url": way.url}, deadline_s=5) as app,
        running(app) as server,
    ):
        app.ingest(RECORDS, tenant="t1")
        yield server, way
        way.recover()


def test_every_question_is_answered_while_the_network_is_silent(silenced: tuple[Running, Network]) -> None:
    server, way = silenced
    with server.client("t1") as client:
        assert client.post("/v1/retrieve", json={"query": QUESTION}).json()["chunks"]
        way.fall_silent()
        calls = (
            ("/v1/retrieve", {"query": QUESTION}),
            ("/v1/chat", {"question": QUESTION}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": QUESTION}]}),
        )
        for _ in range(3):
            for path, body in calls:
                answer = client.post(path, json=body)
                assert answer.status_code == 200
        assert client.post("/v1/retrieve", json={"query": QUESTION}).json()["degraded"]
        assert client.get("/readyz").json()["status"] == "degraded"
        documents = client.get("/v1/documents")
        assert (documents.status_code, documents.headers["Retry-After"] != "") == (503, True)
        with server.client() as stranger:
            unknown = stranger.get("/v1/models", headers={"Authorization": f"Bearer rag_{'A' * 43}"})
            assert unknown.status_code == 503
        way.recover()
        until = time.monotonic() + 20
        while client.post("/v1/retrieve", json={"query": QUESTION}).json()["degraded"]:
            assert time.monotonic() < until
        assert client.get("/readyz").status_code == 200


def test_what_was_waited_before_is_part_of_a_questions_time(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    checked = server.app._requests.checked
    monkeypatch.setattr(
        server.app._requests,
        "checked",
        lambda query, tenant, options: given.append(options["deadline_s"]) or checked(query, tenant, options),
    )
    find = server.services.keys.find

    async def found(secret: str) -> object:
        await asyncio.sleep(1.0)
        return await find(secret)

    monkeypatch.setattr(server.services.keys, "find", found)
    calls = (
        ("/v1/retrieve", {"query": QUESTION}),
        ("/v1/chat", {"question": QUESTION}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": QUESTION}]}),
    )
    for path, body in calls:
        assert client.post(path, json=body).status_code == 200
    deadline_s = server.app.settings.deadline_s
    assert len(given) == 3
    assert all(deadline_s / 4 <= seconds <= deadline_s - 1.0 for seconds in given)
    monkeypatch.setattr(server.app, "settings", server.app.settings.model_copy(update={"deadline_s": 0.4}))
    assert client.post("/v1/retrieve", json={"query": QUESTION}).status_code == 200
    assert given[-1] == pytest.approx(0.1)  # a quarter of it is left in any case


async def test_one_waits_for_a_silent_database_and_the_other_keys_need_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, over = KeyStore(database), threading.Event()
    secrets = [store.create(f"t{number}")[1] for number in range(3)]
    keys = auth.KeyRing(store, fresh_s=0.0)
    for secret in secrets:
        await keys.find(secret)
    monkeypatch.setattr(auth, "_AGAIN_S", 600.0)
    asked: list[str] = []
    monkeypatch.setattr(store, "find", lambda secret: asked.append(secret) or over.wait(20))
    try:
        found = [await keys.find(secret) for secret in secrets]
        assert [key.tenant for key in found if key is not None] == ["t0", "t1", "t2"]
        assert asked == secrets[:1]
        monkeypatch.setattr(auth, "_STRANGERS_WAIT_S", 0.1)
        with pytest.raises(DatabaseUnavailableError):
            await keys.find(f"rag_{'A' * 43}")
        assert keys.holds_any
        monkeypatch.setattr(keys, "_kept_s", 0.0)
        assert not keys.holds_any
        with pytest.raises(DatabaseUnavailableError):
            await keys.find(secrets[2])
    finally:
        over.set()
