"""Kind `openai_like`: any service that answers as OpenAI's chat completions do, such as vLLM, Ollama or LiteLLM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import openai
from llama_index.core.llms import ChatMessage, ChatResponse, ChatResponseAsyncGen, MessageRole
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.llms.openai.utils import to_openai_message_dicts
from llama_index.llms.openai_like import OpenAILike

from rag_app.errors import ConfigurationError
from rag_app.llms.failures import blocked, cut_off, failure_of_response, time_out
from rag_app.llms.options import LLMOptions

_CONTEXT_WINDOW = 128_000  # tokens; LlamaIndex alone reads it, where it packs contexts


def open_with(options: LLMOptions) -> OpenAILikeLLM:
    """Return the LLM; nothing is asked of the service yet.

    Raises:
        ConfigurationError: the URL of the service is missing.
    """
    if not options.api_base:
        raise ConfigurationError("llm.kind 'openai_like' needs llm.api_base, as in http://127.0.0.1:8001/v1")
    return OpenAILikeLLM(
        model=options.model,
        api_base=options.api_base,
        api_key=options.api_key or "none",  # of services in one's own house few want a key; the client always does
        context_window=_CONTEXT_WINDOW,
        is_chat_model=True,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        timeout=options.timeout_s,
        max_retries=0,
    )


class OpenAILikeLLM(OpenAILike):
    """LlamaIndex's `OpenAILike`, whose stream says why an answer is missing or not whole."""

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Stream the answer.

        Raises:
            LLMError: while it streams, if there is no answer, or no more of it.
        """

        async def stream() -> ChatResponseAsyncGen:
            text, finish_reason = "", None
            sent: list[Any] | str = to_openai_message_dicts(messages, model=self.model)
            request = self._get_model_kwargs(stream=True, messages=sent, **kwargs)
            try:
                chunks: Any = await self._get_aclient().chat.completions.create(**request)
                async for chunk in chunks:
                    delta = ""
                    if chunk.choices:
                        finish_reason = chunk.choices[0].finish_reason or finish_reason
                        delta = (chunk.choices[0].delta.content if chunk.choices[0].delta else None) or ""
                    text += delta
                    yield ChatResponse(
                        message=ChatMessage(role=MessageRole.ASSISTANT, content=text),
                        delta=delta,
                        raw=chunk,
                        additional_kwargs=_tokens(chunk.usage),
                    )
            except openai.APIStatusError as error:
                raise failure_of_response(error.status_code, error.response.headers, error.body) from None
            except (openai.APITimeoutError, httpx.TimeoutException):
                raise time_out() from None
            if text or finish_reason:
                _check_finish(finish_reason)

        return stream()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._aclient is not None:
            await self._aclient.close()
        if self._client is not None:
            self._client.close()


def _tokens(usage: Any) -> dict[str, int]:
    """Return what a chunk tells of tokens; many services tell them unasked, and some refuse to be asked."""
    return {name: getattr(usage, name) for name in ("prompt_tokens", "completion_tokens")} if usage else {}


def _check_finish(reason: str | None) -> None:
    """Raise the failure that a finish reason tells of; None if the answer had none when it ended."""
    if reason == "content_filter":
        raise blocked(reason)
    if reason == "length":
        raise cut_off("llm.max_tokens was reached")
    if reason is None:
        raise cut_off("no finish reason came")
