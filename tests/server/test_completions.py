from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import httpx
import openai
import pytest
from llama_index.core.llms import ChatMessage

from rag_app import RagApp
from rag_app.errors import LLMError
from rag_app.schema import Usage
from rag_app.tokens import EstimatedTokenCounter
from tests.gemini_server import Reply, gemini_server
from tests.server.conftest import RECORDS
from tests.server.running import Running, running
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


def tokens_of(text: str) -> int:
    return EstimatedTokenCounter().count(text)


def test_the_tokens_of_an_answer_are_counted_where_its_llm_counts_none(server: Running, ai: openai.OpenAI) -> None:
    requests: list[Sequence[ChatMessage]] = []
    extractive = server.app.chat._write

    async def write(messages: Sequence[ChatMessage]) -> AsyncIterator[str | Usage]:
        requests.append(messages)
        async for piece in extractive(messages):
            yield piece

    history: Any = [{"role": "user", "content": "سلام، سوال داشتم"}, {"role": "assistant", "content": "بفرمایید."}]
    with written_by(server, write):
        answer = ai.chat.completions.create(model="x", messages=[*history, *QUESTION])
    (request,) = requests
    assert len(request) == 4
    asked = sum(tokens_of(message.content or "") for message in request)
    usage, text = answer.usage, answer.choices[0].message.content
    assert usage is not None
    assert asked <= usage.prompt_tokens <= asked * 1.02  # the context is counted by itself
    assert usage.completion_tokens == tokens_of(text or "") > 5
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert (answer.model_extra or {})["rag"]["token_counter"] == "estimate"
    assert "usage" not in (answer.model_extra or {})["rag"]


def test_no_tokens_are_used_where_no_llm_is_asked(ai: openai.OpenAI) -> None:
    nothing = ai.chat.completions.create(model="x", messages=QUESTION, extra_body={"filters": {"doc_id": "none"}})
    assert nothing.usage is not None
    assert (nothing.usage.prompt_tokens, nothing.usage.completion_tokens, nothing.usage.total_tokens) == (0, 0, 0)


def test_a_stream_ends_with_the_tokens_if_they_are_asked_for(ai: openai.OpenAI) -> None:
    whole = ai.chat.completions.create(model="x", messages=QUESTION)
    asked: Any = {"model": "x", "messages": QUESTION, "stream": True}
    *others, last = ai.chat.completions.create(**asked, stream_options={"include_usage": True})
    assert (last.choices, last.usage) == ([], whole.usage)
    assert {chunk.usage for chunk in others} == {None}
    assert others[-1].choices[0].finish_reason == "stop"
    for options in ({}, {"stream_options": None}, {"stream_options": {"include_usage": False}}):
        *_, last = ai.chat.completions.create(**asked, **options)
        assert last.choices[0].finish_reason == "stop"
    with pytest.raises(openai.BadRequestError) as refused:
        ai.chat.completions.create(**asked, stream_options={"include_usage": "yes"})
    assert refused.value.param == "stream_options.include_usage"


def test_the_tokens_are_those_that_the_llms_service_counted(new_database: Callable[[], str]) -> None:
    llm = {"kind": "google_genai", "api_key": "k", "retries": 0}
    with (
        gemini_server() as gemini,
        RagApp.from_config(
            database={"url": new_database()},
            llm={**llm, "api_base": gemini.url},
            deadline_s=30,
            retrieval={"leg_timeout_s": 20},
        ) as app,
        running(app) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key("t"), max_retries=0) as ai,
    ):
        app.ingest(RECORDS, tenant="t")
        gemini.script(*[Reply(tokens=(1200, 30, 70))] * 2, Reply(tokens=(1200, 30, 0), finish="SAFETY"))
        whole = ai.chat.completions.create(model="x", messages=QUESTION)
        *_, last = ai.chat.completions.create(
            model="x", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        stopped = ai.chat.completions.create(model="x", messages=QUESTION)
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (1200, 100, 1300)
    assert last.usage == whole.usage
    assert (whole.model_extra or {})["rag"]["token_counter"] == "llm"
    assert stopped.usage is not None
    assert stopped.usage.prompt_tokens > 100  # counted here, for a failure tells no tokens
    assert (stopped.model_extra or {})["rag"]["token_counter"] == "estimate"


def test_there_is_one_model(ai: openai.OpenAI) -> None:
    assert [model.id for model in ai.models.list()] == ["rag_app"]
