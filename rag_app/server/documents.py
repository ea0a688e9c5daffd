"""`/v1/documents`: what a tenant has stored is listed, added to and deleted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from rag_app.schema import IngestReport
from rag_app.server.auth import Caller
from rag_app.server.errors import ApiError, ErrorBody
from rag_app.server.options import FAILURES, Name, Strict
from rag_app.server.services import Served

router = APIRouter(tags=["documents"])
MAX_DOCUMENTS = 1000
REPORT_EXAMPLE = {
    "added": 1,
    "updated": 0,
    "unchanged": 0,
    "deleted": 0,
    "chunks": 2,
    "skipped": [{"origin": "notes.xyz", "reason": ".xyz files are not read; valid: .csv, .docx, .html, .md, .pdf"}],
    "seconds": 0.1,
}
REPORT_ANSWER: dict[str, Any] = {"content": {"application/json": {"example": REPORT_EXAMPLE}}}
_PAGE_EXAMPLE = {
    "data": [
        {"id": "m01", "source": "manual", "title": "ارسال", "chunks": 2, "updated_at": "2026-01-01T09:00:00+00:00"}
    ],
    "next": None,
}


class DocumentsQuery(BaseModel):
    """Which documents are listed."""

    model_config = ConfigDict(extra="forbid")

    source: Name | None = Field(None, description="Those of this source alone.")
    limit: int = Field(100, ge=1, le=1000)
    after: Name | None = Field(None, description="The `next` of the page before.")


class SourceQuery(BaseModel):
    """Whose documents are deleted."""

    model_config = ConfigDict(extra="forbid")

    source: Name


class NewDocument(Strict):
    """A text, or a question with its answer."""

    id: str | None = Field(None, description="Names the document; one of the same id is replaced.")
    title: str | None = None
    text: str | None = None
    question: str | None = Field(None, description="With `answer`, in place of `text`.")
    answer: str | None = None
    source: str | None = Field(None, description="A group of documents, such as manual or faq.")
    kind: str | None = Field(None, description="`product` or `record` for texts that are lists of fields.")
    metadata: dict[str, Any] = Field(default={}, description="Whatever else is to be kept with it.")


class NewDocuments(Strict):
    """Documents to be stored."""

    documents: list[NewDocument] = Field(min_length=1, max_length=MAX_DOCUMENTS)


def report_response(report: IngestReport) -> JSONResponse:
    """Return what an ingestion did."""
    return JSONResponse(asdict(report))


@router.get(
    "/v1/documents",
    summary="List documents",
    responses={**FAILURES, 200: {"content": {"application/json": {"example": _PAGE_EXAMPLE}}}},
)
async def list_documents(asked: Annotated[DocumentsQuery, Query()], caller: Caller, served: Served) -> JSONResponse:
    """Return documents in the order of their ids, page by page."""
    page = await served.app.adocuments(tenant=caller.tenant, **asked.model_dump())
    data = [
        {
            "id": document.doc_id,
            "source": document.source,
            "title": document.title,
            "chunks": document.chunks,
            "updated_at": document.updated_at.isoformat(),
        }
        for document in page.documents
    ]
    return JSONResponse({"data": data, "next": page.next})


@router.post("/v1/documents", summary="Store documents", responses={**FAILURES, 200: REPORT_ANSWER})
async def add_documents(
    body: Annotated[
        NewDocuments,
        Body(
            examples=[
                {"documents": [{"id": "m01", "title": "ارسال", "text": "ارسال سه روز است.", "source": "manual"}]},
                {"documents": [{"question": "ارسال رایگان است؟", "answer": "بله.", "source": "faq"}]},
            ]
        ),
    ],
    caller: Caller,
    served: Served,
) -> JSONResponse:
    """Store documents; the same again change nothing. What can not be stored is in `skipped`, and the rest goes on."""
    records = [document.model_dump(exclude_none=True) for document in body.documents]
    async with served.ingestions.enter(caller.tenant):
        return report_response(await served.app.aingest(records, tenant=caller.tenant))


@router.delete(
    "/v1/documents",
    summary="Delete the documents of a source",
    responses={**FAILURES, 200: {"content": {"application/json": {"example": {"deleted": 12}}}}},
)
async def delete_source(asked: Annotated[SourceQuery, Query()], caller: Caller, served: Served) -> JSONResponse:
    """Return how many there were."""
    return JSONResponse({"deleted": await served.app.adelete_source(asked.source, tenant=caller.tenant)})


@router.delete(
    "/v1/documents/{doc_id:path}",
    summary="Delete a document",
    responses={
        **FAILURES,
        200: {"content": {"application/json": {"example": {"deleted": True}}}},
        404: {"model": ErrorBody, "description": "The tenant has no document of this id."},
    },
)
async def delete_document(
    doc_id: Annotated[str, Path(description="The id, percent-encoded.", examples=["m01"])],
    caller: Caller,
    served: Served,
) -> JSONResponse:
    """Delete a document with all its chunks."""
    if not await served.app.adelete(doc_id, tenant=caller.tenant):
        raise ApiError(404, "there is no document of this id", "not_found", param="doc_id")
    return JSONResponse({"deleted": True})
