"""What other hands write into a store, stores that hang, forks, and arguments that no store could keep."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from rag_app.errors import ConfigurationError, InvalidInputError, StorageError
from rag_app.flags import FlagService, MemoryFlagStore, PostgresFlagStore, RedisFlagStore, reader
from rag_app.storage import Database
from tests.flags.conftest import Backend, postgres
from tests.flags.test_service import wait_until

Make = Callable[..., FlagService]
only_postgres = pytest.mark.parametrize("backend", ["postgres"], indirect=True)
only_redis = pytest.mark.parametrize("backend", ["redis"], indirect=True)


@pytest.fixture
def database(flags_url: str) -> Iterator[Database]:
    """A database of one connection, whose flags are not set."""
    opened = Database(flags_url, pool_size=1)
    with opened.transaction() as connection:
        connection.execute(text("TRUNCATE rag_app.flags, rag_app.flag_changes"))
    yield opened
    opened.engine.dispose()


@only_postgres
@pytest.mark.parametrize(
    ("name", "stored", "default"),
    [("cross_encoder_reranking", "1", True), ("production_rag", "0", False), ("dense_top_k", "20.0", 20)],
)
def test_what_equals_the_default_and_is_of_another_type_is_ignored(
    backend: Backend, services: Make, name: str, stored: str, default: Any
) -> None:
    backend.write(name, stored)
    value = services().get_value(name)
    assert (value, type(value)) == (default, type(default))


@only_postgres
def test_a_share_that_can_not_be_read_lets_nobody_in(backend: Backend, services: Make) -> None:
    backend.write("production_rag_rollout_percentage", '"ten"')
    service = services()
    service.set("production_rag", True)
    assert not any(service.is_enabled("production_rag", str(number)) for number in range(100))


@only_postgres
def test_a_stored_model_that_can_not_even_be_looked_for_stops_no_reading(backend: Backend, services: Make) -> None:
    backend.write("rerank_model", '"~nosuchuser/model"')
    service = services()
    assert service.get_value("rerank_model") == "base"
    backend.write("dense_top_k", "7")
    wait_until(lambda: service.get_value("dense_top_k") == 7)
    with pytest.raises(InvalidInputError, match="rerank_model must be one of base"):
        service.set("rerank_model", "~nosuchuser/model")


@only_redis
@pytest.mark.parametrize(
    "entry",
    ["{broken", "true", '{"value": true}', '{"value": "1", "changed_by": "me", "changed_at": "monday"}', b"\xff",
     "[" * 100_000],
    ids=["no_json", "no_object", "no_text", "no_time", "no_utf8", "too_deep"],
)  # fmt: skip
def test_an_entry_of_redis_that_can_not_be_read_is_ignored_and_can_be_overwritten(
    backend: Backend, services: Make, entry: Any
) -> None:
    backend.write("production_rag", entry)
    service = services()
    service.set("rerank_top_k", 4)
    assert (service.get_value("rerank_top_k"), service.get_value("production_rag")) == (4, False)
    assert service.evaluate("rerank_top_k").reason == "STATIC"
    service.set("production_rag", True)
    assert service.get_value("production_rag") is True
    backend.write("production_rag", entry)
    service.unset("production_rag")
    assert not service.all()["production_rag"]["set"]


@only_redis
def test_an_entry_of_the_history_that_can_not_be_read_is_left_out(
    backend: Backend, services: Make, redis_url: str
) -> None:
    import redis

    service = services()
    service.set("rerank_top_k", 4)
    with redis.Redis.from_url(redis_url) as client:
        client.lpush("{rag_app}:flag_changes", "broken")
    assert [change.new for change in service.history()] == [4]


@pytest.mark.parametrize("ttl", [1e30, 10**400])
def test_a_time_to_live_that_no_clock_can_add_is_refused(services: Make, ttl: float) -> None:
    with pytest.raises(InvalidInputError, match="ttl must be seconds above 0, 315360000 at most"):
        services().set("dense_top_k", 5, ttl=ttl)


@pytest.mark.parametrize("changed_by", ["", "a\0b", None, "x" * 201])
def test_whoever_changes_a_flag_has_a_name(services: Make, changed_by: Any) -> None:
    service = services()
    for change in (lambda: service.set("dense_top_k", 5, changed_by=changed_by),
                   lambda: service.unset("dense_top_k", changed_by=changed_by)):  # fmt: skip
        with pytest.raises(InvalidInputError, match="changed_by"):
            change()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_history_has_entries(services: Make, limit: int) -> None:
    with pytest.raises(InvalidInputError, match=f"limit must be 1 or more, not {limit}"):
        services().history(limit=limit)


def test_a_misspelt_default_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'dense_top_k'"):
        FlagService(MemoryFlagStore(), defaults={"dense_topk": 3})


def test_an_option_that_redis_does_not_have_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="redis_url can not be used") as refused:
        RedisFlagStore("redis://:secret@127.0.0.1:1/0?nonsense=1")
    assert "secret" not in str(refused.value)


def test_a_server_that_quotes_the_password_does_not_bring_it_into_the_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                while asked := connection.recv(4096):
                    quoted = asked.decode().replace("\r\n", " ")
                    connection.sendall(f"-ERR unknown command, with args beginning with: {quoted}\r\n".encode())

        threading.Thread(target=answer, daemon=True).start()
        store = RedisFlagStore(f"redis://:secret@127.0.0.1:{server.getsockname()[1]}/0")
        with pytest.raises(StorageError, match="hidden") as refused:
            store.load()
        store.close()
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_redis_that_hangs_is_given_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        store = RedisFlagStore(f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        started = time.monotonic()
        with pytest.raises(StorageError, match="TimeoutError"):
            store.load()
        assert time.monotonic() - started < 20  # it never answers
        store.close()


def test_a_locked_table_is_given_up_on(database: Database, flags_url: str) -> None:
    store = PostgresFlagStore(database)
    other = Database(flags_url)
    with other.transaction() as connection:
        connection.execute(text("LOCK TABLE rag_app.flags IN ACCESS EXCLUSIVE MODE"))
        started = time.monotonic()
        with pytest.raises(StorageError, match="statement timeout"):
            store.set("dense_top_k", 5, None, "sara")
        assert time.monotonic() - started < 20  # the lock is held until then
    other.engine.dispose()
    assert store.load() == {}


@only_postgres
def test_what_is_set_for_the_first_time_by_several_at_once_is_noted_in_order(backend: Backend, flags_url: str) -> None:
    databases = [Database(flags_url) for _ in range(4)]
    stores = [PostgresFlagStore(database) for database in databases]
    together = threading.Barrier(len(stores))

    def change(number: int) -> None:
        stores[number].load()
        together.wait()
        stores[number].set("dense_top_k", number + 1, None, "sara")

    threads = [threading.Thread(target=change, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    changes = backend.store.history(None, 10)
    assert [change.old for change in changes] == [*(change.new for change in changes[1:]), None]
    for database in databases:
        database.engine.dispose()


class Switch(MemoryFlagStore):
    """A store whose reads wait while it is off."""

    def __init__(self) -> None:
        super().__init__()
        self.on = threading.Event()
        self.on.set()
        self.reading = False

    def load(self) -> Any:
        self.reading = True
        self.on.wait(30)
        self.reading = False
        return super().load()


def test_a_store_that_hangs_later_is_told_once_and_so_is_its_return(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reader, "_STALE_AFTER_S", 0.3)
    caplog.set_level(logging.INFO, "rag_app")
    store = Switch()
    service = FlagService(store, refresh_s=0.05)
    service.set("rerank_top_k", 3)
    assert service.evaluate("rerank_top_k").reason == "STATIC"
    store.on.clear()
    wait_until(lambda: service.evaluate("rerank_top_k").reason == "STALE")
    assert [service.get_value("rerank_top_k") for _ in range(3)] == [3, 3, 3]
    store.on.set()
    wait_until(lambda: service.evaluate("rerank_top_k").reason == "STATIC")
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "flags can not be read, the last known values hold: no answer for 0 s",
        "flags can be read again",
    ]
    service.close()


def test_closing_waits_for_a_read_and_what_was_read_still_answers() -> None:
    store = Switch()
    service = FlagService(store, refresh_s=0.01)
    service.set("rerank_top_k", 3)
    assert service.get_value("rerank_top_k") == 3
    store.on.clear()
    wait_until(lambda: store.reading)
    threading.Timer(0.2, store.on.set).start()
    service.close()
    assert not store.reading
    assert service.get_value("rerank_top_k") == 3
    service.close()


def forked(do: Callable[[], object], seconds: float = 8.0) -> str:
    """Run `do` in a forked process and return what it returned, in words; it must end in time."""
    ours, its = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(its, str(do()).encode())
        finally:
            os._exit(0)
    os.close(its)
    readable, _, _ = select.select([ours], [], [], seconds)
    said = os.read(ours, 1000).decode() if readable else "it hangs"
    os.close(ours)
    if not readable:
        os.kill(child, 9)
    os.waitpid(child, 0)
    return said


def test_a_process_that_is_forked_at_any_moment_answers(flags_url: str) -> None:
    from contextlib import ExitStack

    with ExitStack() as opened:
        service = FlagService(postgres(flags_url, opened).store, refresh_s=0.001)
        service.set("rerank_top_k", 3)
        assert service.get_value("rerank_top_k") == 3
        assert {forked(lambda: service.get_value("rerank_top_k")) for _ in range(20)} == {"3"}
        service.close()


def test_a_forked_process_leaves_its_parents_connections_alone(database: Database) -> None:
    def backend_id() -> object:
        service.get_value("dense_top_k")
        with database.transaction() as connection:
            return connection.scalar(text("SELECT pg_backend_pid()"))

    service = FlagService(PostgresFlagStore(database), refresh_s=30)
    ours = backend_id()
    service.set("dense_top_k", 5)
    its = forked(backend_id)
    assert its.isdecimal()
    assert its != str(ours)
    assert backend_id() == ours
    service.close()
