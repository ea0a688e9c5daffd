"""The clients as they come, against the server: it answers as the Gemini API does, and the LLMs stay LlamaIndex's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from google import genai
from google.genai import errors, types
from llama_index.core.llms import LLM, ChatMessage

from rag_app.errors import LLMError
from tests.gemini_server import GeminiServer, Reply, quota_used_up
from tests.llms.conftest import KEY

TEXT = "سلام. ارسال ۵۰ هزار تومان است [1]."
MODEL = "gemini-2.5-flash"


@pytest.fixture
async def client(server: GeminiServer) -> AsyncIterator[genai.Client]:
    opened = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=server.url))
    yield opened
    await opened.aio.aclose()
    opened.close()


async def stream(client: genai.Client) -> list[types.GenerateContentResponse]:
    """Return the chunks of an answer."""
    chunks = await client.aio.models.generate_content_stream(model=MODEL, contents="سلام")
    return [chunk async for chunk in chunks]


async def test_plain(client: genai.Client) -> None:
    response = await client.aio.models.generate_content(model=MODEL, contents="سلام")
    assert response.text == TEXT


async def test_streamed(client: genai.Client) -> None:
    chunks = await stream(client)
    assert [chunk.text for chunk in chunks] == ["سلام. ", "ارسال ۵۰ هزار تومان است [1]."]
    assert chunks[-1].candidates
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


async def test_blocked(client: genai.Client, server: GeminiServer) -> None:
    server.script(Reply(blocked="SAFETY"))
    (chunk,) = await stream(client)
    assert chunk.prompt_feedback
    assert chunk.prompt_feedback.block_reason == types.BlockedReason.SAFETY
    assert not chunk.candidates


async def test_quota_and_errors(client: genai.Client, server: GeminiServer) -> None:
    server.script(quota_used_up("3s"), Reply(status=500))
    with pytest.raises(errors.ClientError) as quota:
        await stream(client)
    assert quota.value.code == 429
    assert quota.value.details["error"]["details"][0]["retryDelay"] == "3s"
    with pytest.raises(errors.ServerError):
        await stream(client)
    assert len(server.requests) == 2


async def test_cut_in_the_middle(client: genai.Client, server: GeminiServer) -> None:
    server.script(Reply(cut=True))
    texts = []
    with pytest.raises(Exception, match="payload is not completed"):  # noqa: PT012 - what came before counts
        async for chunk in await client.aio.models.generate_content_stream(model=MODEL, contents="سلام"):
            texts.append(chunk.text)  # noqa: PERF401
    assert len(texts) == 2


async def test_tokens_are_counted(client: genai.Client) -> None:
    response = await client.aio.models.count_tokens(model=MODEL, contents="سلام " * 4)
    assert response.total_tokens == 5


async def test_the_llms_are_llama_index_s(llm: LLM, server: GeminiServer) -> None:
    deltas, contents = [], []
    async for response in await llm.astream_chat([ChatMessage(content="سلام")]):
        deltas.append(response.delta)
        contents.append(response.message.content)
    assert "".join(delta or "" for delta in deltas) == contents[-1] == TEXT
    assert llm.metadata.is_chat_model
    assert llm.metadata.num_output == 77
    assert len(server.requests) == 1


async def test_a_stream_of_llama_index_s_fails_in_our_words(llm: LLM, server: GeminiServer) -> None:
    server.script(Reply(blocked="SAFETY"))
    with pytest.raises(LLMError, match="kept back"):
        async for _ in await llm.astream_chat([ChatMessage(content="سلام")]):
            pass


@pytest.mark.parametrize("llm", ["google_genai", "gemini"], indirect=True)
async def test_an_answer_in_one_piece(llm: LLM, server: GeminiServer) -> None:
    response = await llm.achat([ChatMessage(content="سلام")]) if "GenAI" in llm.class_name() else None
    response = response or llm.chat([ChatMessage(content="سلام")])
    assert response.message.content == TEXT
    assert server.requests[0].path.partition("?")[0].endswith(":generateContent")
