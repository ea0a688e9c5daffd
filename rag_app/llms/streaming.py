"""The text of an answer as it comes: in time, tried again where that helps, failing in one way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from llama_index.core.llms import LLM, ChatMessage, ChatResponse

from rag_app.errors import LLMError
from rag_app.llms.failures import cut_off, empty_answer, time_out, unreachable
from rag_app.schema import Usage

Write = Callable[[Sequence[ChatMessage]], AsyncGenerator[str, None]]  # has an LLM answer a request, piece by piece
WriteAnswer = Callable[[Sequence[ChatMessage]], AsyncGenerator[str | Usage, None]]  # and in the end tells its tokens
_WORTH_A_RETRY = ("quota", "unavailable")
_LONGEST_WAIT_S = 20.0


async def astream_text(
    llm: LLM, messages: Sequence[ChatMessage], *, timeout_s: float, retries: int
) -> AsyncGenerator[str, None]:
    """Yield the pieces that `astream_answer` does, of which it takes the arguments, and no tokens.

    Raises:
        LLMError: there is no answer, or no more of it.
    """
    async with aclosing(astream_answer(llm, messages, timeout_s=timeout_s, retries=retries)) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                yield piece


async def astream_answer(
    llm: LLM, messages: Sequence[ChatMessage], *, timeout_s: float, retries: int, backoff_s: float = 0.5
) -> AsyncGenerator[str | Usage, None]:
    """Yield the pieces of the answer's text, none of them empty, the first without white space before it.

    After a whole answer comes what it took in tokens, if the LLM's service counts them.

    A used-up quota and an unreachable service are tried again while no text was given out: after `backoff_s`, twice as
    long each time and up to a quarter more by chance, or when the service says; not at all if that is past the
    time-out.

    Args:
        llm: any LlamaIndex LLM; those of `open_llm` tell their failures apart.
        messages: the request.
        timeout_s: from the first request to the last word, in seconds.
        retries: the most requests after the first.
        backoff_s: the shortest wait before the first retry, in seconds.

    Raises:
        LLMError: there is no answer, or no more of it.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout_s
    for attempt in range(retries + 1):
        given, usage = False, None
        try:
            async with aclosing(_deltas(llm, messages, deadline)) as deltas:
                async for delta in deltas:
                    if isinstance(delta, Usage):
                        usage = delta
                        continue
                    text = delta if given else delta.lstrip()
                    if text:
                        given = True
                        yield text
            if not given:
                raise empty_answer()
            if usage is not None:
                yield usage
            return
        except LLMError as failure:
            if given and failure.reason == "unavailable":
                raise cut_off("the connection was lost") from None
            wait = max(failure.retry_after_s or 0.0, _wait(backoff_s, attempt))
            if given or attempt == retries or failure.reason not in _WORTH_A_RETRY or clock() + wait >= deadline:
                raise
        await asyncio.sleep(wait)


def _wait(backoff_s: float, attempt: int) -> float:
    return min(backoff_s * 2.0**attempt, _LONGEST_WAIT_S) * random.uniform(1, 1.25)  # noqa: S311 - spreads load alone


async def _deltas(llm: LLM, messages: Sequence[ChatMessage], deadline: float) -> AsyncGenerator[str | Usage]:
    """Yield the deltas of one request, and its tokens so far as they are told; whatever goes wrong is an `LLMError`."""
    try:
        # The time-out is set anew for each piece: around a `yield` it would end what the consumer does meanwhile.
        async with asyncio.timeout_at(deadline):
            responses = aiter(await llm.astream_chat(messages))
        while True:
            async with asyncio.timeout_at(deadline):
                response = await anext(responses, None)
            if response is None:
                return
            if response.delta:
                yield response.delta
            if usage := _usage(response):
                yield usage
    except LLMError:
        raise
    except TimeoutError:
        raise time_out() from None
    except Exception as error:  # noqa: BLE001 - whatever a client raises
        raise unreachable(error) from None  # its message may quote what was sent


def _usage(response: ChatResponse) -> Usage | None:
    """Return the tokens that a response tells of where LlamaIndex's LLMs do."""
    told = response.additional_kwargs
    prompt, completion = told.get("prompt_tokens"), told.get("completion_tokens")
    if isinstance(prompt, int) and isinstance(completion, int):
        return Usage(prompt, completion, "llm")
    return None
