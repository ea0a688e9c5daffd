"""`POST /v1/chat`: an answer as it is written, with what it rests on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request
from llama_index.core.llms import ChatMessage
from pydantic import Field

from rag_app.schema import AnswerEvent, Delta, Retrieved
from rag_app.server.auth import Caller
from rag_app.server.errors import told
from rag_app.server.options import FAILURES, RetrievalFields, Strict
from rag_app.server.services import Served, TimeLeft
from rag_app.server.streaming import EventStream, event_of

router = APIRouter(tags=["answers"])
MAX_TURNS = 100  # the last few are read
_EVENTS = """event: retrieval
data: {"question": "هزینهٔ ارسال چقدر است؟", "question_reason": "...", "result": {"chunks": [...], "trace": {...}}}

event: delta
data: {"text": "ارسال رایگان است [1]."}

event: done
data: {"text": "رایگان است [1].", "citations": [1], "llm": "extractive", "outcome": "answered", "usage": {...}}
"""


class Turn(Strict):
    """What one of the two said before."""

    role: Literal["user", "assistant"]
    content: str


class ChatRequest(RetrievalFields):
    """A question of a conversation, and what may be searched for its answer."""

    question: str = Field(description="The question, as the customer typed it; it may lean on the history.")
    history: list[Turn] = Field([], max_length=MAX_TURNS, description="What was said before, oldest first.")


@router.post(
    "/v1/chat",
    summary="Answer a question, as server-sent events",
    description=(
        "First `retrieval`, with the question as it was understood and what the answer rests on; then a `delta` for "
        "each piece of the text; at the end `done`, with the whole and its outcome, or `error` in the shape of every "
        "failure."
    ),
    status_code=200,
    response_class=EventStream,
    responses={**FAILURES, 200: {"content": {"text/event-stream": {"example": _EVENTS}}}},
)
async def chat(
    request: Request,
    body: Annotated[
        ChatRequest,
        Body(
            examples=[
                {"question": "کی میرسه دستم؟"},
                {
                    "question": "هزینه‌ش چقدره؟",
                    "history": [
                        {"role": "user", "content": "ارسال دارید؟"},
                        {"role": "assistant", "content": "بله، به همهٔ شهرها [1]."},
                    ],
                    "primary_source": "manual",
                },
            ]
        ),
    ],
    caller: Caller,
    served: Served,
    time_left: TimeLeft,
) -> EventStream:
    """Answer from the tenant's documents; a client that goes ends the work."""
    served.admit()
    question = served.checked_question("question", body.question)
    history = [
        ChatMessage(role=turn.role, content=served.checked_text(f"history.{place}.content", turn.content))
        for place, turn in enumerate(body.history)
    ]
    answer = served.app.astream_answer(
        question, tenant=caller.tenant, history=history, deadline_s=time_left, **body.arguments()
    )
    return EventStream(_events(answer, request.state.request_id))


async def _events(answer: AsyncIterator[AnswerEvent], request_id: str) -> AsyncGenerator[str, None]:
    try:
        async for step in answer:
            yield event_of(*_told(step, request_id))
    except Exception as error:  # noqa: BLE001 - the status is sent already; the caller is told all the same
        yield event_of(told(error).as_dict(), "error")


def _told(step: AnswerEvent, request_id: str) -> tuple[dict[str, Any], str]:
    """Return the data and the name of the event for a step."""
    if isinstance(step, Retrieved):
        fields = {"question": step.question, "question_reason": step.question_reason, "result": step.result.as_dict()}
        return fields, "retrieval"
    if isinstance(step, Delta):
        return {"text": step.text}, "delta"
    return {**step.as_dict(), "request_id": request_id}, "done"
