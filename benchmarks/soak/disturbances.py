"""What happens to the product while it serves: each disturbance begins, lasts, and is over."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from parts import Postgres, Redis, Web, Worker
from proxy import Proxy

from rag_app.flags.redis_store import RedisFlagStore

_BLOCK = bytes(4096)


@dataclass(frozen=True)
class Disturbance:
    """Something that goes wrong, and how it ends.

    Attributes:
        replaces: whether web processes or the worker end with it, and others come in their place.
    """

    name: str
    begin: Callable[[], object]
    end: Callable[[], object]
    replaces: bool = False


@dataclass(frozen=True)
class Stage:
    """What there is to disturb.

    Attributes:
        disk: the file system of the database's own, or None if none could be mounted.
        flags: where the flags are.
        seconds: how long a disturbance lasts.
    """

    postgres: Postgres
    redis: Redis
    web: Web
    worker: Worker
    proxy: Proxy
    model: Path
    disk: Path | None
    flags: RedisFlagStore
    seconds: float
    rng: random.Random

    def disturbances(self) -> list[Disturbance]:
        """Return all, in the order in which they happen: first those after which memory is to be watched anew."""
        away = self.model.with_name("moved-away")
        listed = [
            Disturbance(
                "model moved away",
                lambda: self._move(self.model, away),
                lambda: self._move(away, self.model),
                replaces=True,
            ),
            Disturbance("a web process killed", self._kill_server, _nothing, replaces=True),
            Disturbance("worker killed", self.worker.kill, self.worker.start, replaces=True),
            Disturbance("web processes renewed", self.web.renew, _nothing, replaces=True),
            Disturbance("a flag's time passes", self._set_flag, _nothing),
            Disturbance("connections cut", self._terminate, self._terminate),
            Disturbance("network refused", lambda: self.proxy.set("refused"), self._connect),
            Disturbance("network silent", lambda: self.proxy.set("silent"), self._connect),
            Disturbance("PostgreSQL stopped", lambda: self.postgres.stop(signal.SIGINT), self.postgres.start),
            Disturbance("PostgreSQL killed", self.postgres.kill, self.postgres.start),
            Disturbance("Redis killed", self.redis.kill, self.redis.start),
        ]
        if self.disk is not None:
            listed.append(Disturbance("disk full", self._fill_disk, self._empty_disk))
        return listed

    def _set_flag(self) -> None:
        self.flags.set("cross_encoder_reranking", False, self.seconds / 2, "soak")

    def _terminate(self) -> None:
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def _connect(self) -> None:
        self.proxy.set("open")

    def _move(self, source: Path, target: Path) -> None:
        """Move the model, and have processes start without it, or without having it in memory."""
        shutil.move(source, target)
        self.web.renew()

    def _kill_server(self) -> None:
        self.rng.choice(self.web.servers()).kill()

    def _fill_disk(self) -> None:
        if self.disk is not None:
            with (self.disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):  # there is no room left
                while ballast.write(_BLOCK):
                    pass

    def _empty_disk(self) -> None:
        """Make room, and start PostgreSQL if it ended for want of it, as a container's `restart` does."""
        if self.disk is not None:
            (self.disk / "ballast").unlink(missing_ok=True)
            self.postgres.start()


def _nothing() -> Any:
    return None
