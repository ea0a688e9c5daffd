"""`POST /v1/retrieve`: the context for a question."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse
from pydantic import Field

from rag_app.server.auth import Caller
from rag_app.server.options import FAILURES, RetrievalFields
from rag_app.server.services import Served, TimeLeft

router = APIRouter(tags=["answers"])
_EXAMPLE = {
    "query": "کی میرسه دستم؟",
    "tenant": "my-shop",
    "method": "production_rag",
    "reason": None,
    "degraded": False,
    "tokens": 41,
    "chunks": [{"doc_id": "m01", "source": "manual", "title": "ارسال", "content": "ارسال سه روز است.", "score": 3.1}],
    "context": '<chunk id="1" source="manual" title="ارسال">\nارسال سه روز است.\n</chunk>',
}


class RetrieveRequest(RetrievalFields):
    """A question, and what may be searched for its answer."""

    query: str = Field(description="The question, as the customer typed it.")


@router.post(
    "/v1/retrieve",
    summary="Find the context for a question",
    responses={**FAILURES, 200: {"content": {"application/json": {"example": _EXAMPLE}}}},
)
async def retrieve(
    body: Annotated[
        RetrieveRequest,
        Body(
            examples=[
                {"query": "کی میرسه دستم؟"},
                {
                    "query": "شرایط مرجوعی",
                    "primary_source": "manual",
                    "secondary_sources": ["faq"],
                    "primary_budget": 800,
                },
            ]
        ),
    ],
    caller: Caller,
    served: Served,
    time_left: TimeLeft,
) -> JSONResponse:
    """Return the chunks, the context that is made of them, and the trace of the four stages."""
    served.admit()
    query = served.checked_question("query", body.query)
    result = await served.app.aretrieve(query, tenant=caller.tenant, deadline_s=time_left, **body.arguments())
    return JSONResponse(result.as_dict())
