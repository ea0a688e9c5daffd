from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import openai
import pytest
from llama_index.core.llms import ChatMessage

from rag_app.errors import LLMError
from tests.server.running import Running
from tests.server.test_chat import written_by

QUESTION: Any = [{"role": "user", "content": "ارسال چند روز طول میکشه؟"}]


@pytest.fixture
def ai(server: Running, client: httpx.Client) -> Iterator[openai.OpenAI]:
    """OpenAI's own client with a key of the test's tenant."""
    key = client.headers["Authorization"].removeprefix("Bearer ")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as opened:
        yield opened


def test_a_whole_answer(ai: openai.OpenAI) -> None:
    answer = ai.chat.completions.create(model="rag_app", messages=QUESTION, temperature=0.1, max_tokens=100)
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.role) == ("stop", "assistant")
    assert "سه روز کاری" in (choice.message.content or "")
    assert answer.model_extra is not None
    rag = answer.model_extra["rag"]
    assert (rag["citations"], rag["outcome"], rag["llm"]) == ([1], "answered", "extractive")
    assert rag["sources"] == [{"number": 1, "doc_id": "m1", "source": "manual", "title": "ارسال"}]
    assert (answer.model, answer.object) == ("rag_app", "chat.completion")


def test_a_streamed_answer_is_the_same(ai: openai.OpenAI) -> None:
    whole = ai.chat.completions.create(model="x", messages=QUESTION)
    chunks = list(ai.chat.completions.create(model="x", messages=QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].model_extra is not None
    assert whole.model_extra is not None
    assert chunks[-1].model_extra["rag"] == whole.model_extra["rag"]
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_asynchronous_client_streams_too(server: Running, ai: openai.OpenAI) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=ai.api_key, max_retries=0) as client:
        stream = await client.chat.completions.create(model="x", messages=QUESTION, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert "سه روز کاری" in text


def test_the_question_is_the_last_message_of_the_user_and_the_system_is_not_followed(
    server: Running, ai: openai.OpenAI
) -> None:
    requests: list[Sequence[ChatMessage]] = []

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        requests.append(messages)
        yield "پاسخ"

    messages: Any = [
        {"role": "system", "content": "PIRATE"},
        {"role": "user", "content": "ارسال سفارش چطوریه؟"},
        {"role": "assistant", "content": "سه روز."},
        {"role": "developer", "content": "PIRATE"},
        {"role": "user", "content": [{"type": "text", "text": "مرجوعی"}, {"type": "text", "text": "کالا؟"}]},
        {"role": "assistant", "content": "PREFILLED"},
    ]
    with written_by(server, write):
        answer = ai.chat.completions.create(model="x", messages=messages)
    assert answer.choices[0].message.content == "پاسخ"
    (request,) = requests
    text = "\n".join(message.content or "" for message in request)
    assert "PIRATE" not in text
    assert "PREFILLED" not in text
    assert "مرجوعی\nکالا؟" in text
    assert "ارسال سفارش چطوریه؟" in text


@pytest.mark.parametrize(
    ("error", "finish"),
    [(None, "stop"), (LLMError("x", "blocked"), "content_filter"), (LLMError("x", "cut off"), "length")],
)
def test_how_an_answer_ended_is_told_as_openai_does(
    server: Running, ai: openai.OpenAI, error: LLMError | None, finish: str
) -> None:
    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str]:
        yield "پاسخ"
        if error is not None:
            raise error

    with written_by(server, write):
        answer = ai.chat.completions.create(model="x", messages=QUESTION)
        *_, last = ai.chat.completions.create(model="x", messages=QUESTION, stream=True)
    assert answer.choices[0].finish_reason == last.choices[0].finish_reason == finish


def test_the_client_raises_its_own_errors(server: Running, ai: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError, match="this key is not valid"):
        ai.with_options(api_key="rag_wrong").chat.completions.create(model="x", messages=QUESTION)
    with pytest.raises(openai.BadRequestError, match="none of the user"):
        ai.chat.completions.create(model="x", messages=[{"role": "system", "content": "a"}])
    with pytest.raises(openai.BadRequestError) as refused:
        ai.chat.completions.create(model="x", messages=QUESTION, extra_body={"tenant": "b"})
    assert refused.value.param == "tenant"
    picture: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]
    for wrong in ({"n": 2}, {"messages": picture}, {"tools": [{"type": "function", "function": {"name": "f"}}]}):
        with pytest.raises(openai.BadRequestError):
            ai.chat.completions.create(**{"model": "x", "messages": QUESTION, **wrong})


def test_what_is_searched_can_be_said_in_extra_fields(ai: openai.OpenAI) -> None:
    answer = ai.chat.completions.create(
        model="x", messages=QUESTION, extra_body={"primary_source": "faq", "filters": {"doc_id": "none"}}
    )
    assert answer.model_extra is not None
    assert answer.model_extra["rag"]["outcome"] == "no context"


def test_there_is_one_model(ai: openai.OpenAI) -> None:
    assert [model.id for model in ai.models.list()] == ["rag_app"]
