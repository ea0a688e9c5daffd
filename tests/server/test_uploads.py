from __future__ import annotations

import tempfile
from pathlib import Path

import httpx
import pytest

from rag_app.server.uploads import _safe_name


def upload(client: httpx.Client, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    return client.post("/v1/documents/upload", files=[("files", file) for file in files], data=fields)


def test_files_are_stored_under_their_names_and_found(client: httpx.Client) -> None:
    table = "question,answer\nرنگ دارد؟,بله قرمز.\nسایز؟,همه.\n".encode()
    answer = upload(
        client, ("راهنما.md", "# گارانتی\n\nگارانتی یک سال است.".encode()), ("faq.csv", table), source="web"
    )
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["added"], report["skipped"]) == (3, [])
    documents = client.get("/v1/documents", params={"source": "web"}).json()["data"]
    assert "راهنما.md" in {document["id"] for document in documents}
    found = client.post("/v1/retrieve", json={"query": "گارانتی چند سال؟"}).json()
    assert found["chunks"][0]["doc_id"] == "راهنما.md"
    again = upload(client, ("راهنما.md", "گارانتی دو سال است.".encode()), source="web").json()
    assert (again["added"], again["updated"]) == (0, 1)


def test_a_file_of_no_known_kind_is_skipped_by_the_name_it_was_sent_under(client: httpx.Client) -> None:
    report = upload(client, ("a.exe", b"MZ"), ("b", b"x"), ("empty.txt", b""), ("ok.txt", "متن".encode())).json()
    assert report["added"] == 1
    assert [entry["origin"] for entry in report["skipped"]] == ["a.exe", "b", "empty.txt"]
    assert ".exe files are not read; valid: .csv" in report["skipped"][0]["reason"]
    assert tempfile.gettempdir() not in str(report)
    assert client.get("/v1/documents", params={"source": "documents"}).json()["data"][0]["id"] == "ok.txt"
    assert list(Path(tempfile.gettempdir()).glob("rag_app-upload-*")) == []


def test_two_files_of_one_name_are_one_document(client: httpx.Client) -> None:
    report = upload(client, ("a.txt", "یک".encode()), ("x/a.txt", "دو".encode())).json()
    assert report["added"] == 1
    assert "another document of this id" in report["skipped"][0]["reason"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("a/", "file"),
        ("a\0b\n.txt", "ab.txt"),
        ("\ud800.txt", ".txt"),
        ("راهنما.md", "راهنما.md"),
    ],
)
def test_a_files_name_can_not_lead_anywhere(given: str, name: str) -> None:
    assert _safe_name(given) == name


def test_long_names_stay_apart_and_keep_their_suffix() -> None:
    one, two = (_safe_name("ی" * 300 + end) for end in ("1.txt", "2.txt"))
    assert one != two
    for name in (one, two):
        assert name.endswith(".txt")
        assert len(name.encode()) <= 200


def test_a_form_with_other_fields_or_without_files_is_refused(client: httpx.Client) -> None:
    refused = upload(client, ("a.txt", b"a"), tenant="b")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tenant")
    assert client.post("/v1/documents/upload", files=[("source", (None, b"a"))]).status_code == 400
    assert client.post("/v1/documents/upload", json={"files": []}).status_code == 415
    assert upload(client, *[("a.txt", b"a")] * 51).status_code == 400
    assert upload(client, ("a.txt", b"a"), source="x" * 201).status_code == 400
    broken = client.post(
        "/v1/documents/upload", content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert broken.status_code == 400
    assert len(client.get("/v1/documents").json()["data"]) == 2


def test_a_body_above_the_limit_is_refused_while_it_comes(client: httpx.Client) -> None:
    large = upload(client, ("a.txt", b"a" * 3_000_000))
    assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")
    sent = 0

    def endless() -> object:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
        while sent < 200:
            sent += 1
            yield b"a" * 1_000_000

    try:
        answer = client.post(
            "/v1/documents/upload",
            content=endless(),  # type: ignore[arg-type]
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        assert answer.status_code == 413
    except httpx.WriteError:  # the server closed the connection
        pass
    assert sent < 100
    assert client.post("/v1/retrieve", json={"query": "a" * 1_000_001}).status_code == 413
