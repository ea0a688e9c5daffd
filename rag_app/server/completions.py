"""`POST /v1/chat/completions`: the same answers for clients of OpenAI's API."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, Response
from llama_index.core.llms import ChatMessage

from rag_app.schema import Answer, AnswerEvent, Delta
from rag_app.server.auth import Caller
from rag_app.server.errors import ApiError, told
from rag_app.server.openai_request import CompletionRequest
from rag_app.server.options import FAILURES
from rag_app.server.services import Served, Services, TimeLeft
from rag_app.server.streaming import EventStream, event_of, while_connected

router = APIRouter(tags=["answers"])
_FINISHES = {"cut off": "length", "blocked": "content_filter"}  # any other outcome is a whole answer to the customer
_GONE = 499
_RAG = {
    "citations": [1],
    "llm": "extractive",
    "outcome": "answered",
    "token_counter": "estimate",
    "sources": [{"number": 1, "doc_id": "m01"}],
}
_EXAMPLE = {
    "id": "chatcmpl-4f1c",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "rag_app",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ارسال رایگان است [1]."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1204, "completion_tokens": 9, "total_tokens": 1213},
    "rag": _RAG,
}


@router.post(
    "/v1/chat/completions",
    summary="Answer a conversation as OpenAI's API does",
    response_class=Response,
    responses={
        **FAILURES,
        200: {"content": {"application/json": {"example": _EXAMPLE}, "text/event-stream": {"example": "data: {...}"}}},
    },
)
async def complete(
    request: Request,
    body: Annotated[
        CompletionRequest,
        Body(
            examples=[
                {"model": "rag_app", "messages": [{"role": "user", "content": "کی میرسه دستم؟"}]},
                {"model": "rag_app", "messages": [{"role": "user", "content": "ارسال دارید؟"}], "stream": True},
            ]
        ),
    ],
    caller: Caller,
    served: Served,
    time_left: TimeLeft,
) -> Response:
    """Answer the last message of the user from the tenant's documents; what was said before it is the history.

    Messages of the system are not followed, and what steers an LLM is not used: the server's settings do that. The
    field `rag` of the answer, or of the last event with a choice, has the citations, their documents, the outcome, and
    who counted the tokens of `usage`, which a stream has where `stream_options.include_usage` asks for it.
    """
    served.admit()
    model = served.checked_text("model", body.model)
    head = {"id": f"chatcmpl-{request.state.request_id}", "created": int(time.time()), "model": model}
    answer = _asked(body, caller.tenant, served, time_left)
    if body.stream:
        with_usage = body.stream_options is not None and body.stream_options.include_usage is True
        return EventStream(_chunks(answer, {**head, "object": "chat.completion.chunk"}, with_usage=with_usage))
    whole = await while_connected(request.receive, lambda: _last(answer))
    if whole is None:
        return Response(status_code=_GONE)
    message = {"role": "assistant", "content": whole.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": _finish(whole), "logprobs": None}
    usage = whole.usage.as_dict()
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage, "rag": _rag(whole)})


def _asked(body: CompletionRequest, tenant: str, served: Services, deadline_s: float) -> AsyncIterator[AnswerEvent]:
    turns = [(place, each) for place, each in enumerate(body.messages) if each.role in ("user", "assistant")]
    asked = next((number for number in range(len(turns) - 1, -1, -1) if turns[number][1].role == "user"), None)
    if asked is None:
        raise ApiError(400, "messages hold none of the user", "invalid_value", param="messages")
    place, last = turns[asked]
    return served.app.astream_answer(
        served.checked_question(f"messages.{place}.content", last.text),
        tenant=tenant,
        history=[
            ChatMessage(role=each.role, content=served.checked_text(f"messages.{number}.content", each.text))
            for number, each in turns[:asked]
        ],
        deadline_s=deadline_s,
        **body.arguments(),
    )


async def _last(answer: AsyncIterator[AnswerEvent]) -> Answer | None:
    whole = None
    async for step in answer:
        whole = step
    return whole if isinstance(whole, Answer) else None


async def _chunks(
    answer: AsyncIterator[AnswerEvent], head: dict[str, Any], *, with_usage: bool
) -> AsyncGenerator[str, None]:
    if with_usage:
        head = {**head, "usage": None}  # but for the last event

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return event_of({**head, "choices": [choice], **more})

    try:
        yield chunk({"role": "assistant", "content": ""})
        async for step in answer:
            if isinstance(step, Delta):
                yield chunk({"content": step.text})
            elif isinstance(step, Answer):
                yield chunk({}, _finish(step), rag=_rag(step))
                if with_usage:
                    yield event_of({**head, "choices": [], "usage": step.usage.as_dict()})
    except Exception as error:  # noqa: BLE001 - the status is sent already; OpenAI's client raises for this
        yield event_of(told(error).as_dict())
    yield "data: [DONE]\n\n"


def _finish(answer: Answer) -> str:
    return _FINISHES.get(answer.outcome, "stop")


def _rag(answer: Answer) -> dict[str, Any]:
    """Return what OpenAI's shape has no place for; the text and the tokens are in the shape itself."""
    nodes = answer.retrieved.result.nodes
    sources = [
        {
            "number": number,
            **{name: nodes[number - 1].node.metadata.get(name) for name in ("doc_id", "source", "title")},
        }
        for number in answer.citations
    ]
    fields = {name: value for name, value in answer.as_dict().items() if name not in ("text", "usage")}
    return {**fields, "question": answer.retrieved.question, "sources": sources}
