"""No document makes this machine ask another, or read a file of its own: what a document names is text."""

from __future__ import annotations

import io
import json
import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag_app import RagApp
from tests.conversion.files import docx, pdf

SECRET = "s3cr3t-of-this-machine"
_LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
_IMAGE = f"""
<w:p><w:r><w:drawing><wp:inline xmlns:wp="{_DRAWING}/wordprocessingDrawing"><wp:docPr id="1" name="a" descr="picture"/>
<a:graphic xmlns:a="{_DRAWING}/main"><a:graphicData><pic:pic xmlns:pic="{_DRAWING}/picture"><pic:blipFill>
<a:blip xmlns:r="{_LINK}" r:link="outside"/></pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline>
</w:drawing></w:r></w:p><w:p><w:r><w:t>Delivery takes three days.</w:t></w:r></w:p>
"""


@contextmanager
def listener() -> Iterator[tuple[str, socket.socket]]:
    """A port that takes connections, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield f"http://127.0.0.1:{server.getsockname()[1]}", server


def html(url: str, file: str) -> bytes:
    return f"""<!DOCTYPE html [<!ENTITY x SYSTEM "{file}">]><html><head><base href="{url}/"><meta http-equiv="refresh"
    content="0;url={url}/a"><link rel="stylesheet" href="{url}/b"><script src="{url}/c"></script></head><body>
    <p>Delivery takes three days. &x;</p><img src="{url}/d"><iframe src="{url}/e"></iframe>
    <object data="{file}"></object><img src="{file}"><embed src="{url}/f"></body></html>""".encode()


def linked_image(url: str, file: str) -> bytes:
    held = io.BytesIO(docx(_IMAGE))
    with zipfile.ZipFile(held, "a") as archive:
        targets = f'<Relationship Id="outside" Type="{_LINK}/image" Target="TARGET" TargetMode="External"/>'
        archive.writestr(
            "word/_rels/document.xml.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            + targets.replace("TARGET", url or file)
            + "</Relationships>",
        )
    return held.getvalue()


def linked_file(url: str, file: str) -> bytes:
    return linked_image("", file)


def entities(url: str, file: str) -> bytes:
    before = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{file}"><!ENTITY % y SYSTEM "{url}/dtd"> %y;]>'
    return docx("<w:p><w:r><w:t>Delivery takes three days. &x;</w:t></w:r></w:p>", before=before)


def action(url: str, file: str) -> bytes:
    page = b"BT /F 12 Tf 50 700 Td (Delivery takes three days.) Tj ET"
    return pdf(page).replace(b"/Type/Catalog", f"/Type/Catalog/OpenAction<</S/URI/URI({url})>>".encode())


def markdown(url: str, file: str) -> bytes:
    return f"Delivery takes three days. ![a]({url}/a) [b]({file}) <img src='{url}/c'>".encode()


def records(url: str, file: str) -> bytes:
    return json.dumps(
        {"id": url, "text": "Delivery takes three days.", "metadata": {"path": file, "url": url}}
    ).encode()


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        (".html", html),
        (".docx", linked_image),
        (".docx", linked_file),
        (".docx", entities),
        (".pdf", action),
        (".md", markdown),
        (".jsonl", records),
    ],
)
def test_reading_a_document_asks_nobody_and_reads_nothing_else(
    app: RagApp, tenant: str, tmp_path: Path, suffix: str, make: object
) -> None:
    secret = tmp_path / "outside" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text(SECRET, "utf-8")
    with listener() as (url, server):
        document = tmp_path / f"document{suffix}"
        document.write_bytes(make(url, secret.as_uri()))  # type: ignore[operator]
        report = app.ingest(document, tenant=tenant)
        with pytest.raises(TimeoutError):
            server.accept()
    assert report.added == 1 or (make is entities and report.skipped)
    result = app.retrieve("delivery days", tenant=tenant)
    assert SECRET not in f"{result.context} {report}"
