"""`POST /v1/documents/upload`: files, each of which becomes one document or several."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse

from rag_app.app import RagApp
from rag_app.schema import IngestReport, Skipped
from rag_app.server.auth import Caller
from rag_app.server.documents import REPORT_ANSWER, report_response
from rag_app.server.errors import ApiError
from rag_app.server.options import FAILURES
from rag_app.server.services import Served

router = APIRouter(tags=["documents"])
MAX_FILES = 50
_FIELDS = {"files", "source"}
_UNSAFE = re.compile(r"[\0-\x1f\x7f\ud800-\udfff]")
_MAX_NAME_BYTES = 200  # a file system takes 255


@router.post("/v1/documents/upload", summary="Store files", responses={**FAILURES, 200: REPORT_ANSWER})
async def upload(
    request: Request,
    files: Annotated[list[UploadFile], File(description="Texts, Markdown, HTML, Word, PDF, CSV, JSONL.")],
    caller: Caller,
    served: Served,
    source: Annotated[str, Form(description="The source of what names none.", examples=["manual"])] = "documents",
) -> JSONResponse:
    """Store files under their names; a file of the same name is replaced. Those of no known kind are in `skipped`."""
    if unknown := set(await request.form()) - _FIELDS:
        raise ApiError(
            400, f"unknown field; valid: {', '.join(sorted(_FIELDS))}", "extra_forbidden", param=min(unknown)
        )
    if len(files) > MAX_FILES:
        raise ApiError(400, f"there are {len(files)} files; the limit is {MAX_FILES}", "too_many", param="files")
    async with served.ingestions.enter(caller.tenant):
        report = await asyncio.to_thread(_ingest, served.app, files, caller.tenant, source)
    return report_response(report)


def _ingest(app: RagApp, files: Sequence[UploadFile], tenant: str, source: str) -> IngestReport:
    with TemporaryDirectory(prefix="rag_app-upload-") as folder:
        paths = [Path(folder, str(number), _safe_name(file.filename or "")) for number, file in enumerate(files)]
        for path, file in zip(paths, files, strict=True):
            path.parent.mkdir()
            with path.open("wb") as copy:
                shutil.copyfileobj(file.file, copy)
        report = app.ingest(paths, tenant=tenant, source=source)
    return replace(report, skipped=tuple(_as_uploaded(entry, folder) for entry in report.skipped))


def _safe_name(given: str) -> str:
    """Return the name that a file is stored under here, and its documents by: no path, and not too long."""
    name = _UNSAFE.sub("", re.split(r"[/\\]", given)[-1]).strip()
    if name.strip(".") == "":
        return "file"
    if len(name.encode()) <= _MAX_NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = f"-{hashlib.sha256(name.encode()).hexdigest()[:12]}{dot}{suffix[:10]}"
    return stem.encode()[: _MAX_NAME_BYTES - len(ending.encode())].decode(errors="ignore") + ending


def _as_uploaded(entry: Skipped, folder: str) -> Skipped:
    """Return the note without our folders' names."""
    ours = re.compile(rf"{re.escape(folder)}/\d+/")
    return Skipped(ours.sub("", entry.origin), ours.sub("", entry.reason))
