"""Kind `gemini`: Gemini by the integration that came before `google_genai`, for those who have it still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import requests
from google.ai import generativelanguage as api
from google.api_core.exceptions import GoogleAPICallError
from google.generativeai.generative_models import GenerativeModel
from google.generativeai.types import RequestOptions
from llama_index.core.llms import ChatMessage, ChatResponse, ChatResponseAsyncGen, LLMMetadata, MessageRole
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.utilities.gemini_utils import ROLES_TO_GEMINI
from llama_index.llms.gemini import Gemini
from llama_index.llms.gemini.utils import is_function_calling_model

from rag_app.llms.failures import failure_of_response, time_out
from rag_app.llms.gemini_api import CONTEXT_WINDOW, api_key_of, check_finish, check_prompt, counted
from rag_app.llms.options import LLMOptions
from rag_app.llms.threads import iterate_in_thread


def open_with(options: LLMOptions) -> GeminiLLM:
    """Return the LLM; nothing is asked of the service yet."""
    return GeminiLLM(options)


class GeminiLLM(Gemini):
    """LlamaIndex's `Gemini`, opened without a request, streaming without keeping the loop waiting, failing clearly.

    The original asks the service about the model when it is made, sets the key for the whole process, never sends
    `max_tokens`, and raises an `IndexError` for a blocked prompt. Its client for coroutines needs gRPC, which no HTTP
    proxy lets through, so this one is the blocking client in a thread.
    """

    def __init__(self, options: LLMOptions) -> None:
        name = options.model if "/" in options.model else f"models/{options.model}"
        FunctionCallingLLM.__init__(
            self, model=name, temperature=options.temperature, max_tokens=options.max_tokens, generate_kwargs={}
        )
        self._config = api.GenerationConfig(temperature=options.temperature, max_output_tokens=options.max_tokens)
        self._service = api.GenerativeServiceClient(
            transport="rest",
            client_options={
                "api_key": api_key_of(options),
                **({"api_endpoint": options.api_base} if options.api_base else {}),
            },
        )
        session: Any = vars(self._service.transport)["_session"]
        session._max_refresh_attempts = 0  # after a 401 it would ask twice again
        self._timeout_s = options.timeout_s
        # What the inherited methods, those that do not stream, work with.
        self._request_options = RequestOptions(retry=None, timeout=options.timeout_s)
        self._model = GenerativeModel(
            name, generation_config={"temperature": options.temperature, "max_output_tokens": options.max_tokens}
        )
        self._model._client = self._service
        self._is_function_call_model = is_function_calling_model(name)

    @property
    def metadata(self) -> LLMMetadata:
        """Say what it takes; the original asks the service."""
        return LLMMetadata(
            context_window=CONTEXT_WINDOW,
            num_output=self.max_tokens,
            model_name=self.model,
            is_chat_model=True,
            is_function_calling_model=self._is_function_call_model,
        )

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Stream the answer.

        Raises:
            LLMError: while it streams, if there is no answer, or no more of it.
        """
        request = api.GenerateContentRequest(
            model=self.model,
            system_instruction=_content(_of_system(messages)),
            contents=[_content([message]) for message in messages if message.role != MessageRole.SYSTEM],
            generation_config=self._config,
        )

        async def stream() -> ChatResponseAsyncGen:
            text = ""
            async for delta, tokens in iterate_in_thread(lambda: self._deltas(request)):
                text += delta
                message = ChatMessage(role=MessageRole.ASSISTANT, content=text)
                yield ChatResponse(message=message, delta=delta, additional_kwargs=tokens)

        return stream()

    def _deltas(self, request: api.GenerateContentRequest) -> Iterator[tuple[str, dict[str, int]]]:
        """Yield the deltas, each with the tokens so far."""
        answered, finish_reason = False, None
        chunks: Any = None
        try:
            chunks = self._service.stream_generate_content(request, retry=None, timeout=self._timeout_s)
            for chunk in chunks:
                check_prompt(chunk.prompt_feedback.block_reason.name)
                if not chunk.candidates:
                    continue
                candidate = chunk.candidates[0]
                if candidate.finish_reason:
                    finish_reason = candidate.finish_reason.name
                delta = "".join(part.text for part in candidate.content.parts)
                answered = answered or bool(delta)
                usage = chunk.usage_metadata
                yield delta, counted(usage.prompt_token_count, usage.total_token_count)
        except GoogleAPICallError as error:
            raise failure_of_response(*_response(error)) from None
        except requests.Timeout:
            raise time_out() from None
        finally:
            if chunks is not None:
                chunks.cancel()  # else the connection stays open, whoever stopped listening
        if answered or finish_reason:
            check_finish(finish_reason)

    async def aclose(self) -> None:
        """Close the connections."""
        self._service.transport.close()  # type: ignore[no-untyped-call]


def _of_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    return [message for message in messages if message.role == MessageRole.SYSTEM]


def _content(messages: Sequence[ChatMessage]) -> api.Content | None:
    if not messages:
        return None
    return api.Content(
        role=ROLES_TO_GEMINI[messages[0].role].value,
        parts=[api.Part(text=message.content or "") for message in messages],
    )


def _response(error: GoogleAPICallError) -> tuple[int, Any, Any]:
    """Return the status, the headers and the JSON of the response that an error was made of."""
    response = error.response
    try:
        return int(error.code or 500), response.headers, response.json()
    except (AttributeError, ValueError):  # no response, or one that is no JSON
        return int(error.code or 500), getattr(response, "headers", {}), None
