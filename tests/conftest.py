"""One real PostgreSQL server for the whole run, one application on it, and a tenant of its own for every test."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, make_url, text
from xdist.workermanage import NodeManager

from rag_app import RagApp
from rag_app.storage import Database, schema_version, start_embedded
from tests.models import save_cross_encoder

TESTS = Path(__file__).parent
INSTITUTE = TESTS.parent / "examples" / "institute"
SAMPLE_TENANT = "avanema"

# Torch, here and in processes that tests start, uses one thread: two wait long for each other where others work beside.
os.environ["OMP_NUM_THREADS"] = "1"

# Properties are tried with the same examples every time, however long each takes on a busy machine.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")

# xdist kills a process that does not end in time, and with it nothing stops the servers that it started.
NodeManager.EXIT_TIMEOUT = 120


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares servers, databases and models where several processes run the tests: a folder's."""
    for item in items:
        place = item.path.relative_to(TESTS)
        item.add_marker(pytest.mark.xdist_group(str(place if place.parent == Path() else place.parent)))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    for name in list(os.environ):
        if name.startswith("RAG_APP_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("RAG_APP_CACHE_DIR", str(own_cache))


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where probes and exports go while the tests run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def cross_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small saved cross-encoder whose tokenizer knows the sample's language."""
    texts = [file.read_text("utf-8") for file in sorted((INSTITUTE / "documents").rglob("*.md"))]
    return save_cross_encoder(tmp_path_factory.mktemp("cross-encoder"), texts)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an embedded server that runs until the tests end, and need not survive the end of its machine."""
    url = start_embedded(tmp_path_factory.mktemp("server"))
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {name} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def new_database(server_url: str) -> Callable[[], str]:
    """Makes an empty database on the server and returns its URL."""
    numbers = itertools.count(1)

    def make() -> str:
        name = f"test_{os.getpid()}_{next(numbers)}"
        engine = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return make_url(server_url).set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    """The URL of an empty database of the module's own."""
    return new_database()


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    """A database of the module's own, with the schema and nothing in it."""
    opened = Database(new_database(), pool_size=10)
    schema_version.upgrade(opened)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def app(new_database: Callable[[], str]) -> Iterator[RagApp]:
    """An application that holds the sample knowledge base as tenant `avanema`; tests write as tenants of their own."""
    with RagApp.from_config(database={"url": new_database()}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as opened:
        report = opened.ingest(INSTITUTE / "documents", tenant=SAMPLE_TENANT)
        assert not report.skipped
        yield opened


@pytest.fixture(scope="session")
def questions() -> list[dict[str, object]]:
    """The sample's questions with the documents that answer them."""
    lines = (INSTITUTE / "questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """Beat every millisecond while the block runs; a loop that something blocks misses its beats."""
    beats: list[float] = []

    async def beat() -> None:
        while True:
            await asyncio.sleep(0.001)
            beats.append(time.monotonic())

    beating = asyncio.create_task(beat())
    yield beats
    beating.cancel()


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A tenant that no other test uses."""
    return request.node.nodeid[-190:]
