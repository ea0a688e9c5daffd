from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from rag_app.flags import FlagService, FlagStore, MemoryFlagStore, PostgresFlagStore, RedisFlagStore
from rag_app.storage import Database, schema_version
from tests.servers import redis_server


@dataclass
class Backend:
    """A store, how another process makes the same one, and how to write into it what no store would write."""

    name: str
    store: FlagStore
    code: str
    write: Callable[[str, str], None]


@pytest.fixture(scope="session")
def flags_url(new_database: Callable[[], str]) -> str:
    url = new_database()
    database = Database(url)
    schema_version.upgrade(database)
    database.engine.dispose()
    return url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def postgres(url: str, opened: ExitStack) -> Backend:
    from sqlalchemy import text

    database = Database(url)
    opened.callback(database.engine.dispose)
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE rag_app.flags, rag_app.flag_changes"))

    def write(name: str, value: str) -> None:
        with database.transaction() as connection:
            statement = (
                "INSERT INTO rag_app.flags (name, value, changed_by) VALUES (:name, CAST(:value AS jsonb), 'me')"
            )
            connection.execute(text(statement), {"name": name, "value": value})

    code = f"from rag_app.storage import Database; store = PostgresFlagStore(Database({url!r}))"
    return Backend("postgres", PostgresFlagStore(database), code, write)


def redis(url: str, opened: ExitStack) -> Backend:
    import redis as package

    client = package.Redis.from_url(url)
    opened.callback(client.close)
    client.flushall()
    store = RedisFlagStore(url)
    opened.callback(store.close)

    def write(name: str, value: str) -> None:
        client.hset("{rag_app}:flags", name, value)

    return Backend("redis", store, f"store = RedisFlagStore({url!r})", write)


@pytest.fixture(params=["memory", "postgres", "redis"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with ExitStack() as opened:
        if request.param == "memory":
            store = MemoryFlagStore()

            def write(name: str, value: str) -> None:
                store.set(name, value, None, "me")

            yield Backend("memory", store, "", write)
        else:
            url = request.getfixturevalue("flags_url" if request.param == "postgres" else "redis_url")
            yield {"postgres": postgres, "redis": redis}[request.param](url, opened)


@pytest.fixture
def services(backend: Backend) -> Iterator[Callable[..., FlagService]]:
    """Makes services on the backend, as several processes would."""
    made = []

    def make(**options: Any) -> FlagService:
        made.append(FlagService(backend.store, **{"refresh_s": 0.05, **options}))
        return made[-1]

    yield make
    for service in made:
        service.close()
