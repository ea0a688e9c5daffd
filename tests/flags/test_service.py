"""Flags on every backend: what they may be, how long they hold, who changed them, and what a broken backend costs."""

from __future__ import annotations

import json
import logging
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from rag_app.errors import ConfigurationError, InvalidInputError, StorageError
from rag_app.flags import FLAGS, FlagService, MemoryFlagStore, PostgresFlagStore, RedisFlagStore, in_rollout
from rag_app.storage import Database
from tests.flags.conftest import Backend, postgres, redis
from tests.servers import redis_server

Make = Callable[..., FlagService]
DEFAULTS = {
    "production_rag": False,
    "production_rag_rollout_percentage": 0,
    "production_rag_shadow_percentage": 0,
    "cross_encoder_reranking": True,
    "rerank_model": "base",
    "dense_top_k": 20,
    "sparse_top_k": 15,
    "fusion_top_k": 20,
    "rerank_top_k": 8,
}


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait until something holds, and return how long that took, in seconds."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it never came"
        time.sleep(0.01)
    return time.monotonic() - started


def test_the_defaults_are_these(services: Make) -> None:
    service = services()
    assert {name: service.get_value(name) for name in FLAGS} == DEFAULTS
    assert {service.evaluate(name).reason for name in FLAGS} == {"DEFAULT"}
    assert not any(told["set"] for told in service.all().values())


def test_what_is_not_set_is_as_configured(services: Make) -> None:
    service = services(defaults={"dense_top_k": 30, "rerank_model": "/models/ours"})
    assert (service.get_value("dense_top_k"), service.get_value("rerank_model")) == (30, "/models/ours")
    service.set("rerank_model", "large")
    service.set("rerank_model", "/models/ours")  # it may be on other machines alone
    assert service.get_value("rerank_model") == "/models/ours"


@pytest.mark.parametrize(
    ("name", "value"),
    [("production_rag", True), ("production_rag_rollout_percentage", 12.5), ("production_rag_rollout_percentage", 100),
     ("rerank_model", "multilingual"), ("rerank_model", "BAAI/bge-reranker-large"), ("dense_top_k", 1),
     ("rerank_top_k", 1000)],
)  # fmt: skip
def test_a_value_acts_here_at_once_and_elsewhere_soon(services: Make, name: str, value: Any) -> None:
    here, there = services(), services()
    assert there.get_value(name) == DEFAULTS[name]
    here.set(name, value, changed_by="sara")
    assert here.get_value(name) == value
    assert type(here.get_value(name)) is type(value)
    wait_until(lambda: there.get_value(name) == value)
    here.unset(name, changed_by="omid")
    wait_until(lambda: there.get_value(name) == DEFAULTS[name])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("production_rag", 1, "true or false"), ("production_rag", "true", "true or false"),
     ("production_rag_rollout_percentage", 101, "0 to 100"), ("production_rag_rollout_percentage", -0.1, "0 to 100"),
     ("production_rag_rollout_percentage", True, "0 to 100"),
     ("production_rag_rollout_percentage", math.nan, "0 to 100"),
     ("dense_top_k", 0, "1 to 1000"), ("dense_top_k", 20.0, "1 to 1000"), ("dense_top_k", True, "1 to 1000"),
     ("rerank_model", "larg", "did you mean 'large'"),
     ("rerank_model", "BAAI/bge-reranker-bas", "did you mean 'BAAI/bge-reranker-base'"),
     ("rerank_model", 5, "one of base, large, multilingual"),
     ("production_rga", True, "did you mean 'production_rag'")],
)  # fmt: skip
def test_a_value_that_is_not_valid_is_refused_and_changes_nothing(
    services: Make, name: str, value: Any, message: str
) -> None:
    service = services()
    with pytest.raises(InvalidInputError, match=message):
        service.set(name, value)
    assert {name: service.get_value(name) for name in FLAGS} == DEFAULTS
    assert service.history() == []


@pytest.mark.parametrize("ttl", [0, -1, math.inf, math.nan, "60", True])
def test_a_time_to_live_is_a_time(services: Make, ttl: Any) -> None:
    with pytest.raises(InvalidInputError, match="ttl must be seconds"):
        services().set("production_rag", True, ttl=ttl)


def test_every_way_to_ask_for_an_unknown_flag_names_the_nearest(services: Make) -> None:
    service = services()
    for ask in (service.get_value, service.evaluate, service.is_enabled, service.unset, service.history):
        with pytest.raises(InvalidInputError, match="unknown flag 'dense_topk': did you mean 'dense_top_k'"):
            ask("dense_topk")
    with pytest.raises(InvalidInputError, match="not on or off"):
        service.is_enabled("dense_top_k")


def test_a_flag_falls_back_when_its_time_is_over(services: Make) -> None:
    here, there = services(), services()
    here.set("rerank_top_k", 3, ttl=60)
    wait_until(lambda: there.get_value("rerank_top_k") == 3)
    assert 0 < here.all()["rerank_top_k"]["expires_in_s"] <= 60
    here.set("rerank_top_k", 3, ttl=0.2)
    wait_until(lambda: here.get_value("rerank_top_k") == there.get_value("rerank_top_k") == 8)
    assert here.evaluate("rerank_top_k").reason == "DEFAULT"
    told = here.all()["rerank_top_k"]
    assert (told["set"], told["expires_in_s"]) == (True, 0.0)  # and it can be seen that it was set


def test_the_history_tells_who_changed_what_and_when(services: Make) -> None:
    service = services()
    service.set("production_rag", True, changed_by="sara")
    service.set("production_rag", False, ttl=60, changed_by="omid")
    service.set("dense_top_k", 5, changed_by="sara")
    service.unset("production_rag", changed_by="mina")
    service.unset("production_rag", changed_by="nobody")  # there is nothing to unset
    changes = service.history()
    assert [(one.name, one.action, one.old, one.new, one.changed_by) for one in changes] == [
        ("production_rag", "unset", False, None, "mina"),
        ("dense_top_k", "set", None, 5, "sara"),
        ("production_rag", "set", True, False, "omid"),
        ("production_rag", "set", None, True, "sara"),
    ]
    times = [one.changed_at for one in changes]
    assert times == sorted(times, reverse=True)
    assert changes[2].expires_at > changes[2].changed_at
    assert changes[3].expires_at is None
    assert [one.name for one in service.history("dense_top_k")] == ["dense_top_k"]
    assert len(service.history(limit=2)) == 2


@pytest.mark.parametrize("user", ["7", "42", "کاربر"])
def test_who_gets_the_new_pipeline(services: Make, user: str) -> None:
    service = services()
    name, share = "production_rag", "production_rag_rollout_percentage"

    def told() -> tuple[bool, str]:
        evaluation = service.evaluate(name, user)
        return bool(evaluation.value), evaluation.reason

    assert told() == (False, "DEFAULT")
    service.set(share, 50)
    assert told() == (in_rollout(name, user, 50), "SPLIT")
    assert service.is_enabled(name) is False
    service.set(name, True)
    assert told() == (in_rollout(name, user, 50), "SPLIT")  # the share bounds it
    assert service.is_enabled(name) is True
    service.set(share, 100)
    assert told() == (True, "SPLIT")
    service.set(name, False)
    assert told() == (False, "DISABLED")  # the roll-back wins
    assert service.is_enabled(name) is False
    service.unset(name)
    assert told() == (True, "SPLIT")
    assert service.is_enabled(name) is True
    service.set(name, True)
    service.unset(share)
    assert told() == (True, "STATIC")


def test_the_end_of_a_share_never_lets_more_users_in(services: Make) -> None:
    service = services()
    service.set("production_rag", True)
    service.set("production_rag_rollout_percentage", 10, ttl=0.2)
    time.sleep(0.3)
    assert not any(service.is_enabled("production_rag", str(n)) for n in range(100))


def test_a_roll_back_with_a_time_to_live_ends_by_itself(services: Make) -> None:
    service = services()
    service.set("production_rag_rollout_percentage", 100)
    service.set("production_rag", False, ttl=60)
    assert not service.is_enabled("production_rag", "7")
    service.set("production_rag", False, ttl=0.2)
    wait_until(lambda: service.is_enabled("production_rag", "7"))


def test_a_share_of_the_requests_is_shadowed(services: Make) -> None:
    service = services()
    service.set("production_rag_shadow_percentage", 30)
    assert (
        0.25
        < statistics.mean(service.is_enabled("production_rag_shadow_percentage", str(n)) for n in range(5000))
        < 0.35
    )


def test_what_is_stored_and_not_valid_is_ignored_and_told_once(
    backend: Backend, services: Make, caplog: pytest.LogCaptureFixture
) -> None:
    stored = {
        "memory": "many",
        "postgres": '"many"',
        "redis": json.dumps({"value": '"many"', "changed_by": "me", "changed_at": 1}),
    }
    backend.write("dense_top_k", stored[backend.name])
    backend.write("of_another_version", stored[backend.name])
    if backend.name == "redis":
        backend.write("sparse_top_k", "{broken")
    service = services()
    service.set("rerank_top_k", 4)
    time.sleep(0.2)
    assert (service.get_value("dense_top_k"), service.get_value("sparse_top_k"), service.get_value("rerank_top_k")) == (
        20,
        15,
        4,
    )
    told = [record.getMessage() for record in caplog.records if "ignored" in record.getMessage()]
    assert len(told) == len(set(told)) == (3 if backend.name == "redis" else 2)


OTHER = """
import sys, time
from rag_app.flags import FlagService, PostgresFlagStore, RedisFlagStore
{code}
service = FlagService(store)
last = None
while True:
    value = service.is_enabled("production_rag", "7")
    if value != last:
        print(value, time.time(), flush=True)
    last = value
    time.sleep(0.01)
"""


def test_another_process_follows_within_ten_seconds_and_so_does_the_end_of_a_time_to_live(
    flags_url: str, redis_url: str
) -> None:
    """On both stores at once, for it is mostly waiting."""
    with ExitStack() as opened, ThreadPoolExecutor(2) as pool:
        backends = [postgres(flags_url, opened), redis(redis_url, opened)]
        assert len(list(pool.map(check_that_another_process_follows, backends))) == 2


def check_that_another_process_follows(backend: Backend) -> None:
    service = FlagService(backend.store, refresh_s=0.05)
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER.format(code=backend.code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None

    def follows(value: bool, since: float) -> float:
        seen, at = other.stdout.readline().split()  # type: ignore[union-attr]
        assert seen == str(value)
        return float(at) - since

    try:
        follows(False, 0)
        service.set("production_rag", True)
        assert follows(True, time.time()) < 10
        service.set("production_rag", False)
        assert follows(False, time.time()) < 10
        began = time.time()
        service.set("production_rag", True, ttl=4)
        assert follows(True, began) < 4
        assert 3.9 < follows(False, began) < 10
    finally:
        other.kill()
        other.communicate()
        service.close()


def test_redis_that_stops_leaves_the_last_values_and_its_return_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rag_app")
    with redis_server(tmp_path) as url:
        service = FlagService(RedisFlagStore(url), refresh_s=0.05)
        service.set("production_rag", True)
        assert service.evaluate("production_rag", "7").reason == "STATIC"
    wait_until(lambda: service.evaluate("production_rag", "7").reason == "STALE")
    assert service.is_enabled("production_rag", "7")
    with pytest.raises(StorageError, match=r"redis\.sock does not answer"):
        service.set("production_rag", False)
    assert service.is_enabled("production_rag", "7")
    with redis_server(tmp_path):
        wait_until(lambda: service.evaluate("production_rag", "7").reason == "DEFAULT")  # it forgot everything
        service.close()
    told = [record.getMessage().split(",")[0] for record in caplog.records]
    assert told == ["flags can not be read", "flags can be read again"]


def test_postgres_without_its_table_leaves_the_last_values(flags_url: str) -> None:
    database = Database(flags_url)
    service = FlagService(PostgresFlagStore(database), refresh_s=0.05)
    service.set("rerank_top_k", 3)
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE rag_app.flags RENAME TO gone"))
    try:
        wait_until(lambda: service.evaluate("rerank_top_k").reason == "STALE")
        assert service.get_value("rerank_top_k") == 3
        with pytest.raises(StorageError, match="can not be read or written"):
            service.set("rerank_top_k", 4)
    finally:
        with database.transaction() as connection:
            connection.execute(text("ALTER TABLE rag_app.gone RENAME TO flags"))
    wait_until(lambda: service.evaluate("rerank_top_k").reason == "STATIC")
    service.close()
    database.engine.dispose()


class Hanging(MemoryFlagStore):
    """A store whose reads never come back."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self.goes_on = threading.Event()
        self.loads = 0

    def load(self) -> Any:
        self.loads += 1
        if self.hangs.is_set():
            self.goes_on.wait(30)
        return super().load()


def test_a_store_that_hangs_keeps_nobody_waiting() -> None:
    store = Hanging()
    store.hangs.set()
    service = FlagService(store, refresh_s=0.05)
    started = time.monotonic()
    assert service.evaluate("production_rag", "7").reason == "ERROR"
    assert 0.9 < time.monotonic() - started < 20  # the first question alone waits, for a second
    started = time.monotonic()
    assert service.get_value("dense_top_k") == 20
    assert time.monotonic() - started < 0.9
    assert store.loads == 1
    store.goes_on.set()
    wait_until(lambda: service.evaluate("production_rag", "7").reason == "DEFAULT")
    service.close()


def test_a_read_that_took_longer_than_a_change_does_not_undo_it() -> None:
    store = Hanging()
    service = FlagService(store, refresh_s=30)
    assert service.get_value("rerank_top_k") == 8

    before = store.load()
    slow = threading.Event()
    store.load = lambda: (slow.wait(60), before)[1]  # type: ignore[method-assign]
    late = threading.Thread(target=service.refresh)
    late.start()
    wait_until(late.is_alive)
    time.sleep(0.05)
    del store.load
    service.set("rerank_top_k", 3)
    slow.set()
    late.join()
    assert service.get_value("rerank_top_k") == 3
    service.close()


def test_a_forked_process_reads_on() -> None:
    service = FlagService(MemoryFlagStore(), refresh_s=0.05)
    assert service.get_value("rerank_top_k") == 8
    child = os.fork()
    if child == 0:
        service._store.set("rerank_top_k", 3, None, "child")
        until = time.monotonic() + 20
        while service.get_value("rerank_top_k") != 3 and time.monotonic() < until:
            time.sleep(0.01)
        os._exit(service.get_value("rerank_top_k"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    service.close()


def test_asking_takes_microseconds(services: Make) -> None:
    service = services()
    service.set("production_rag_rollout_percentage", 50)
    started = time.thread_time()
    for number in range(1000):
        service.is_enabled("production_rag", str(number))
    assert time.thread_time() - started < 0.5


def test_addresses_that_can_not_be_used_are_refused_without_their_password() -> None:
    with pytest.raises(ConfigurationError, match="redis_url can not be used") as refused:
        RedisFlagStore("http://user:secret@host/0")
    assert "secret" not in str(refused.value)
    with pytest.raises(StorageError, match=r"Redis at 127.0.0.1:1 does not answer") as refused_too:
        RedisFlagStore("redis://user:secret@127.0.0.1:1/0").load()
    assert "secret" not in str(refused_too.value)
