"""A way to the test server that can be cut or fall silent: the soak's proxy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

_FILE = Path(__file__).parents[1] / "benchmarks" / "soak" / "proxy.py"
_spec = util.spec_from_file_location("tests_proxy", _FILE)
assert _spec is not None
assert _spec.loader is not None
_proxy = sys.modules["tests_proxy"] = util.module_from_spec(_spec)
_spec.loader.exec_module(_proxy)


@dataclass(frozen=True)
class Network:
    """A network that works, until it is told not to; `url` is that of the database by way of it."""

    url: str
    _proxy: Any

    def fall_silent(self) -> None:
        """Keep all connections, take new ones, and pass nothing on."""
        self._proxy.set("silent")

    def refuse(self) -> None:
        """Cut all connections, and take no new ones."""
        self._proxy.set("refused")

    def recover(self) -> None:
        self._proxy.set("open")


@contextmanager
def network(database_url: str) -> Iterator[Network]:
    """Lead to a database of the embedded server, which listens on a socket."""
    url = make_url(database_url)
    socket = Path(str(url.query["host"])) / f".s.PGSQL.{url.port or url.query.get('port') or 5432}"
    with _proxy.Proxy(str(socket)) as proxy:
        yield Network(url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False), proxy)
