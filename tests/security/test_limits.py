"""What a request may cost is bounded before it is paid for, and a wrong key learns nothing from how it is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import event

from rag_app import RagApp
from rag_app.storage import Database, KeyStore, schema_version
from tests.server.running import Running, running


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str]) -> Iterator[Running]:
    with RagApp.from_config(database={"url": new_database()}) as app, running(app) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client("t") as opened:
        yield opened


def test_a_key_is_looked_up_by_its_hash_and_never_compared(new_database: Callable[[], str]) -> None:
    database = Database(new_database())
    schema_version.upgrade(database)
    store = KeyStore(database)
    _, secret = store.create("t")
    near = secret[:-1] + ("A" if secret[-1] != "A" else "B")  # all but the last character
    asked: list[tuple[str, object]] = []
    event.listen(database.engine, "before_cursor_execute", lambda _, __, sql, given, *rest: asked.append((sql, given)))
    assert store.find(near) is None
    ((sql, given),) = asked
    assert "sha256 = %(sha256)s" in sql
    assert given == {"sha256": hashlib.sha256(near.encode()).digest()}
    database.engine.dispose()


@pytest.mark.parametrize("depth", [50, 900, 20_000])
def test_nested_metadata_is_stored_or_refused(client: httpx.Client, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    content = f'{{"documents": [{{"id": "n{depth}", "text": "متن", "metadata": {nested}}}]}}'
    answer = client.post("/v1/documents", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        report = answer.json()
        assert report["added"] + len(report["skipped"]) == 1
    assert client.get("/v1/models").status_code == 200


def test_nested_lines_of_a_file_are_skipped(client: httpx.Client) -> None:
    line = b'{"id": "a", "text": "b", "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = client.post("/v1/documents/upload", files={"files": ("a.jsonl", line)}, data={"source": "s"})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["skipped"]) == 1


def test_a_form_of_many_parts_or_of_endless_headers_is_refused(client: httpx.Client) -> None:
    many = client.post("/v1/documents/upload", files=[("files", (f"{number}.txt", b"a")) for number in range(1100)])
    assert many.status_code == 400
    parts = b"--x\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\na\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/documents/upload", content=parts, headers=kind).status_code == 400


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd", "a\r\nSet-Cookie: x=1.txt", "=cmd|'/C calc'!A0.txt"],
)
def test_the_name_of_a_file_is_a_name_in_every_answer(client: httpx.Client, name: str) -> None:
    answer = client.post("/v1/documents/upload", files={"files": (name, b"a")}, data={"source": "=1+1"})
    assert answer.status_code == 200, answer.text
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Type"] == "application/json"
    assert "/etc/" not in answer.text


def test_a_range_of_a_static_file_costs_little(server: Running) -> None:
    with server.client() as client:
        ranges = "bytes=" + ",".join(f"{start}-{start + 1}" for start in range(0, 4000, 2))
        answer = client.get("/static/app.js", headers={"Range": ranges})
    assert answer.elapsed.total_seconds() < 5
    assert answer.status_code in (200, 206, 400, 404, 416)
