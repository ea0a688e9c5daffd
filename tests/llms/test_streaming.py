from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest
from llama_index.core.llms import LLM, ChatMessage, MessageRole

from rag_app.errors import LLMError, LLMFailure
from rag_app.gemini import messages_of
from rag_app.llms import LLMOptions, aclose_llm, astream_answer, astream_text, open_llm
from rag_app.schema import Usage
from tests.conftest import heartbeat
from tests.gemini_server import GeminiServer, Reply, quota_used_up
from tests.llms.conftest import KEY, NETWORK_KINDS, options_for
from tests.ports import free_port

SECRET = "سرطان خون دارم"  # what a customer may have written
QUESTION = messages_of(f"{SECRET}، هزینه چقدره؟", '<chunk id="1" source="" title="">\nمتن\n</chunk>\n')
PLAIN = ["سلام. ", "ارسال ۵۰ هزار تومان است [1]."]
INVALID_KEY = {"details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}


async def ask(
    llm: LLM, messages: Sequence[ChatMessage] = QUESTION, *, timeout_s: float = 10, retries: int = 2
) -> tuple[list[str], LLMError | None]:
    """Return the deltas of an answer, and its failure if it ended in one."""
    deltas: list[str] = []
    try:
        async for delta in astream_answer(llm, messages, timeout_s=timeout_s, retries=retries, backoff_s=0.01):
            if isinstance(delta, str):
                deltas.append(delta)  # noqa: PERF401 - those before a failure count
    except LLMError as failure:
        return deltas, failure
    return deltas, None


async def test_pieces_come_as_they_are_sent(llm: LLM, server: GeminiServer) -> None:
    read = threading.Semaphore(0)
    server.script(Reply(texts=("یک ", "دو ", "سه"), read=read))
    deltas = []
    async for delta in astream_text(llm, QUESTION, timeout_s=60, retries=0):
        deltas.append(delta)
        read.release()
    assert deltas == ["یک ", "دو ", "سه"]


async def test_what_the_service_counted_comes_last_with_what_the_model_thought(llm: LLM, server: GeminiServer) -> None:
    server.script(Reply(tokens=(1200, 30, 70)))
    told = [piece async for piece in astream_answer(llm, QUESTION, timeout_s=10, retries=0)]
    assert told == [*PLAIN, Usage(1200, 100, "llm")]
    server.script(Reply(tokens=(1200, 30, 70)))
    assert [piece async for piece in astream_text(llm, QUESTION, timeout_s=10, retries=0)] == PLAIN


async def test_the_request_holds_the_turns_and_the_limits(llm: LLM, server: GeminiServer) -> None:
    history = [
        ChatMessage(role=MessageRole.USER, content="سلام"),
        ChatMessage(role=MessageRole.ASSISTANT, content="بفرمایید"),
    ]
    assert await ask(llm, messages_of("قیمت؟", "", history)) == (PLAIN, None)
    (request,) = server.requests
    if "contents" in request.body:
        turns = [(turn["role"], turn["parts"][0]["text"]) for turn in request.body["contents"]]
        system = request.body["systemInstruction"]["parts"][0]["text"]
        limits = request.body["generationConfig"]["maxOutputTokens"], request.body["generationConfig"]["temperature"]
    else:
        (_, system), *turns = [(turn["role"], turn["content"]) for turn in request.body["messages"]]
        limits = request.body["max_tokens"], request.body["temperature"]
    assert [role for role, _ in turns] in (["user", "model", "user"], ["user", "assistant", "user"])
    assert [text for _, text in turns[:2]] == ["سلام", "بفرمایید"]
    assert turns[2][1] == "<context>\n</context>\n\n<question>\nقیمت؟\n</question>"
    assert system.startswith("You answer a customer")
    assert limits == (77, 0.5)


FAILURES: dict[str, tuple[Reply, tuple[LLMFailure, list[str], int]]] = {  # and what was given out, in how many requests
    "blocked prompt": (Reply(blocked="PROHIBITED_CONTENT"), ("blocked", [], 1)),
    "blocked before text": (Reply(texts=(), finish="SAFETY"), ("blocked", [], 1)),
    "blocked after text": (Reply(finish="SAFETY"), ("blocked", PLAIN, 1)),
    "no candidates": (Reply(texts=()), ("empty answer", [], 1)),
    "white space": (Reply(texts=(" ", "\n")), ("empty answer", [], 1)),
    "max tokens": (Reply(finish="MAX_TOKENS"), ("cut off", PLAIN, 1)),
    "cut": (Reply(cut=True), ("cut off", PLAIN, 1)),
    "ends without a finish": (Reply(finish=None), ("cut off", PLAIN, 1)),
    "cut before text": (Reply(texts=(), cut=True), ("unavailable", [], 3)),
    "429": (quota_used_up(), ("quota", [], 3)),
    "500": (Reply(status=500), ("unavailable", [], 3)),
    "503": (Reply(status=503), ("unavailable", [], 3)),
    "401": (Reply(status=401), ("refused key", [], 1)),
    "403": (Reply(status=403), ("refused key", [], 1)),
    "400 of an invalid key": (Reply(status=400, error=INVALID_KEY), ("refused key", [], 1)),
    "400": (Reply(status=400), ("bad request", [], 1)),
    "404": (Reply(status=404), ("bad request", [], 1)),
}


async def test_failures_are_told_apart(llm: LLM, server: GeminiServer) -> None:
    told = {}
    for name, (reply, _) in FAILURES.items():
        server.script(*[reply] * 3)
        asked_before = len(server.requests)
        given, failure = await ask(llm)
        assert failure is not None, name
        assert KEY not in str(failure)
        assert SECRET not in str(failure)
        assert failure.__suppress_context__ or failure.__context__ is None, name  # no traceback quotes the client
        told[name] = (failure.reason, given, len(server.requests) - asked_before)
    assert told == {name: expected for name, (_, expected) in FAILURES.items()}


async def test_a_second_request_helps(llm: LLM, server: GeminiServer) -> None:
    for first in (quota_used_up(), Reply(status=500), Reply(texts=(), cut=True)):
        server.script(first)
        assert await ask(llm) == (PLAIN, None)
    assert len(server.requests) == 6


async def test_the_next_request_waits_as_the_service_says(llm: LLM, server: GeminiServer) -> None:
    for first in (quota_used_up("0.4s"), Reply(status=429, headers={"Retry-After": "0.4"})):
        server.script(first)
        assert await ask(llm) == (PLAIN, None)
        first_at, second_at = (request.at for request in server.requests[-2:])
        assert 0.4 <= second_at - first_at < 10


async def test_a_wait_past_the_time_out_is_not_begun(llm: LLM, server: GeminiServer) -> None:
    server.script(quota_used_up("40s"))
    began = time.monotonic()
    _, failure = await ask(llm, timeout_s=5)
    assert failure is not None
    assert (failure.reason, failure.retry_after_s) == ("quota", 40)
    assert time.monotonic() - began < 20


async def test_the_time_out_bounds_first_and_last_word(llm: LLM, server: GeminiServer) -> None:
    for reply, deltas in ((Reply(delay_s=5), []), (Reply(pause_s=5), PLAIN[:1])):
        server.script(reply)
        began = time.monotonic()
        given, failure = await ask(llm, timeout_s=0.4)
        assert failure is not None
        assert (failure.reason, given) == ("time-out", deltas)
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("kind", NETWORK_KINDS)
async def test_the_client_s_own_time_out_is_one_too(kind: str, server: GeminiServer) -> None:
    llm = open_llm(kind, options_for(kind, server, timeout_s=0.3))
    server.script(Reply(delay_s=1))
    _, failure = await ask(llm, timeout_s=10)
    assert failure is not None
    assert failure.reason == "time-out"
    await aclose_llm(llm)


async def test_a_slow_service_does_not_block_the_loop(llm: LLM, server: GeminiServer) -> None:
    await ask(llm)  # what is imported at the first request may take its time
    server.script(Reply(delay_s=0.6, pause_s=0.6))
    async with heartbeat() as beats:
        assert await ask(llm) == (PLAIN, None)
    assert len(beats) > 20  # hundreds on a machine with nothing else to do, hardly any in a call that blocks


async def test_cancelling_ends_the_request(llm: LLM, server: GeminiServer) -> None:
    server.script(Reply(pause_s=30))
    first = asyncio.Event()

    async def listen() -> None:
        async for _ in astream_text(llm, QUESTION, timeout_s=30, retries=2):
            first.set()

    listening = asyncio.create_task(listen())
    await asyncio.wait_for(first.wait(), 5)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(listening, 1)
    assert await ask(llm) == (PLAIN, None)


async def test_the_messages_stay_as_they_are(llm: LLM, server: GeminiServer) -> None:
    neighbours = [ChatMessage(role=MessageRole.USER, content=text) for text in ("یک", "دو")]
    messages = messages_of("سه", "", neighbours)
    before = [message.model_dump_json() for message in messages]
    server.script(Reply(status=500))
    assert await ask(llm, messages) == (PLAIN, None)
    assert [message.model_dump_json() for message in messages] == before
    first, second = (request.body for request in server.requests)
    assert first == second


@pytest.mark.parametrize("kind", NETWORK_KINDS)
async def test_nobody_listens_at_the_service(kind: str) -> None:
    llm = open_llm(kind, LLMOptions(api_key=KEY, api_base=f"http://127.0.0.1:{free_port()}", timeout_s=5))
    _, failure = await ask(llm, retries=1)
    assert failure is not None
    assert failure.reason == "unavailable"
    await aclose_llm(llm)
