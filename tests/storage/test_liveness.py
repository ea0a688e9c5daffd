"""A server that falls silent: packets vanish, connections stay, and nothing fails by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from rag_app.errors import DatabaseUnavailableError
from rag_app.storage import Database, schema_version
from tests.network import Network, network

ONE = "SELECT 1 AS one"


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    """The URL of a database with the schema."""
    database = Database(new_database())
    schema_version.upgrade(database)
    database.engine.dispose()
    return database.url.render_as_string(hide_password=False)


@pytest.fixture
async def silenced(url: str) -> AsyncIterator[tuple[Database, Network]]:
    """A database, and the network to it, which has just fallen silent."""
    with network(url) as way:
        database = Database(way.url, pool_size=2)
        assert await asyncio.gather(*(database.afetch("t1", ONE, {}) for _ in range(2))) == [[(1,)], [(1,)]]
        way.fall_silent()
        yield database, way
        await database.aclose()


async def give_up(database: Database, seconds: float = 0.2) -> float:
    """Ask, wait for so long in vain, and return how long that took."""
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await database.afetch("t1", ONE, {})
    return time.monotonic() - started


async def certain(database: Database) -> None:
    """Wait until it is known how the server is."""
    if (asking := database._connections._liveness._asking) is not None:
        await asyncio.wait([asking], timeout=20)


async def test_who_gives_up_is_let_go_though_the_server_can_not_be_told(silenced: tuple[Database, Network]) -> None:
    database, _ = silenced
    assert await give_up(database) < 4  # psycopg alone waits for ten seconds


async def test_what_one_waited_for_in_vain_the_others_are_told(silenced: tuple[Database, Network]) -> None:
    database, _ = silenced
    await give_up(database)
    for _ in range(20):
        with pytest.raises(DatabaseUnavailableError, match=r"does not answer: it has been silent for \d"):
            async with asyncio.timeout(4):  # a connection is waited for for five seconds
                await database.afetch("t1", ONE, {})


async def test_it_is_used_again_as_soon_as_it_answers(silenced: tuple[Database, Network]) -> None:
    database, way = silenced
    await give_up(database)
    with pytest.raises(DatabaseUnavailableError):
        await database.afetch("t1", ONE, {})
    way.recover()
    async with asyncio.timeout(20):
        while True:
            try:
                assert await database.afetch("t1", ONE, {}) == [(1,)]
                break
            except DatabaseUnavailableError:
                await asyncio.sleep(0.01)


async def test_places_are_free_again_though_all_were_waited_for_in_vain(silenced: tuple[Database, Network]) -> None:
    database, way = silenced
    await asyncio.gather(*(give_up(database) for _ in range(6)))
    await asyncio.wait(database._connections._abandoned, timeout=20)
    way.recover()
    await certain(database)
    async with asyncio.timeout(20):
        assert await asyncio.gather(*(database.afetch("t1", ONE, {}) for _ in range(4))) == [[(1,)]] * 4


async def test_a_slow_query_that_was_given_up_keeps_nobody_else_waiting(url: str) -> None:
    database = Database(url)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await database.afetch("t1", "SELECT pg_sleep(60)", {})
    assert await database.afetch("t1", ONE, {}) == [(1,)]
    assert await database.afetch("t1", "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'sleep\\(60'", {}) == [(0,)]
    await database.aclose()


async def test_a_refusal_is_no_silence(url: str) -> None:
    with network(url) as way:
        database = Database(way.url)
        await database.afetch("t1", ONE, {})
        way.fall_silent()
        await give_up(database)
    await certain(database)
    with pytest.raises(DatabaseUnavailableError, match="refused"):
        await database.afetch("t1", ONE, {})
    await database.aclose()
