"""`GET /v1/whoami` and `GET /v1/models`: what a key is good for."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from rag_app.server.auth import Caller
from rag_app.server.options import FAILURES
from rag_app.server.services import Served

router = APIRouter(tags=["account"])
MODEL = "rag_app"
_WHO = {"tenant": "my-shop", "key_name": "website", "llm": "extractive", "sources": ["faq", "manual"], "documents": 42}
_MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}]}


@router.get(
    "/v1/whoami",
    summary="The tenant of a key",
    responses={**FAILURES, 200: {"content": {"application/json": {"example": _WHO}}}},
)
async def whoami(caller: Caller, served: Served) -> dict[str, Any]:
    """Return the tenant, who answers, and what there is to search."""
    app = served.app
    snapshot = await app.loop.acall(app.pipeline.catalog.asnapshot, caller.tenant)
    return {
        "tenant": caller.tenant,
        "key_name": caller.name,
        "llm": app.settings.llm.kind,
        "sources": sorted(snapshot.documents),
        "documents": sum(snapshot.documents.values()),
    }


@router.get(
    "/v1/models",
    summary="The models of the OpenAI-compatible endpoint",
    responses={**FAILURES, 200: {"content": {"application/json": {"example": _MODELS}}}},
)
async def models(_: Caller) -> dict[str, Any]:
    """Return the one model that there is."""
    return _MODELS
