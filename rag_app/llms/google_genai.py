"""Kind `google_genai`: Gemini by Google's SDK and LlamaIndex's integration of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import httpx
from google.genai import errors, types
from llama_index.core.llms import ChatMessage, ChatResponse, ChatResponseAsyncGen, MessageRole
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.llms.google_genai.utils import prepare_chat_params

from rag_app.llms.failures import failure_of_response, time_out
from rag_app.llms.gemini_api import CONTEXT_WINDOW, api_key_of, check_finish, check_prompt, counted
from rag_app.llms.options import LLMOptions

# A model that thinks does so within `max_tokens`, which would be used up before the first word of an answer. To quote
# from what is given takes little thought; these are the least that the models allow.
_THINKING = (
    (re.compile(r"gemini-2\.5-flash"), types.ThinkingConfig(thinking_budget=0)),
    (re.compile(r"gemini-2\.5-pro"), types.ThinkingConfig(thinking_budget=128)),
    (re.compile(r"gemini-[3-9]"), types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW)),
)


def open_with(options: LLMOptions) -> GoogleGenAILLM:
    """Return the LLM; nothing is asked of the service yet."""
    return GoogleGenAILLM(
        model=options.model,
        api_key=api_key_of(options),
        context_window=CONTEXT_WINDOW,  # else it asks the service
        max_tokens=options.max_tokens,
        max_retries=0,
        temperature=options.temperature,
        generation_config=types.GenerateContentConfig(
            temperature=options.temperature,
            max_output_tokens=options.max_tokens,
            thinking_config=next((config for name, config in _THINKING if name.search(options.model)), None),
        ),
        http_options=types.HttpOptions(
            base_url=options.api_base,
            timeout=int(options.timeout_s * 1000),
            retry_options=types.HttpRetryOptions(attempts=1),  # without any, it asks again after a lost connection
        ),
    )


class GoogleGenAILLM(GoogleGenAI):
    """LlamaIndex's `GoogleGenAI`, whose stream says why an answer is missing or not whole.

    The original passes over blocked prompts and empty answers, and takes a stream that was cut for a whole one.
    """

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Stream the answer.

        Raises:
            LLMError: while it streams, if there is no answer, or no more of it.
        """
        turn, request, _ = await prepare_chat_params(
            self.model,
            [message.model_copy(deep=True) for message in messages],  # it merges neighbours into the first of them
            self.file_mode,
            self._client,
            **{**kwargs, "generation_config": {**self._generation_config, **kwargs.get("generation_config", {})}},
        )

        async def stream() -> ChatResponseAsyncGen:
            text, finish_reason = "", None
            try:
                async for chunk in await self._client.aio.models.generate_content_stream(
                    model=request["model"], contents=[*request["history"], turn], config=request["config"]
                ):
                    if chunk.prompt_feedback is not None:
                        check_prompt(_name(chunk.prompt_feedback.block_reason))
                    if not chunk.candidates:
                        continue
                    candidate = chunk.candidates[0]
                    finish_reason = _name(candidate.finish_reason) or finish_reason
                    parts = (candidate.content.parts if candidate.content else None) or ()
                    delta = "".join(part.text for part in parts if part.text and not part.thought)
                    text += delta
                    yield ChatResponse(
                        message=ChatMessage(role=MessageRole.ASSISTANT, content=text),
                        delta=delta,
                        raw=chunk,
                        additional_kwargs=_tokens(chunk.usage_metadata),
                    )
            except errors.APIError as error:
                headers = getattr(error.response, "headers", None) or {}
                raise failure_of_response(error.code, headers, error.details) from None
            except httpx.TimeoutException:
                raise time_out() from None
            if text or finish_reason:
                check_finish(finish_reason)

        return stream()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aio.aclose()
        self._client.close()


def _tokens(usage: types.GenerateContentResponseUsageMetadata | None) -> dict[str, int]:
    return counted(usage.prompt_token_count, usage.total_token_count) if usage is not None else {}


def _name(value: types.FinishReason | types.BlockedReason | None) -> str | None:
    return value.name if value is not None else None
