"""Answers without a language model: sentences of the context, quoted with their numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from llama_index.core.llms import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    CustomLLM,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from rag_app.gemini import read_turn
from rag_app.llms.options import LLMOptions
from rag_app.llms.quoting import best_quotes
from rag_app.persian.language import detect_language


def open_with(options: LLMOptions) -> ExtractiveLLM:
    """Return the LLM; it has no options."""
    del options
    return ExtractiveLLM()


class ExtractiveLLM(CustomLLM):
    """Quotes the sentences of the context that fit the question best, each with the number of its chunk.

    It is no language model: it writes nothing of its own but the words around the quotes, understands neither the
    question nor the context, takes no notice of the turns before the last, and can not sum up, compare or calculate.
    It needs no key, no network and a few milliseconds. Where no sentence fits well enough, it says so.

    The request is what `rag_app.gemini.messages_of` makes; it says of any other that nothing was found.
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "ExtractiveLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """Say what it takes: any context, in chat turns."""
        return LLMMetadata(context_window=1_000_000, num_output=1024, is_chat_model=True, model_name="extractive")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt that is the text of a user's turn."""
        return CompletionResponse(text="".join(_pieces(prompt)))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Answer a prompt that is the text of a user's turn, quote by quote."""

        def stream() -> CompletionResponseGen:
            text = ""
            for piece in _pieces(prompt):
                text += piece
                yield CompletionResponse(text=text, delta=piece)

        return stream()

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer the last turn of the user."""
        return _response("".join(_pieces(_last_turn(messages))))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer the last turn of the user, quote by quote."""
        return _responses(_pieces(_last_turn(messages)))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer the last turn of the user, in a thread."""
        return _response("".join(await asyncio.to_thread(_pieces, _last_turn(messages))))

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Answer the last turn of the user, quote by quote, in a thread."""

        async def stream() -> ChatResponseAsyncGen:
            for response in _responses(await asyncio.to_thread(_pieces, _last_turn(messages))):
                yield response

        return stream()


def _last_turn(messages: Sequence[ChatMessage]) -> str:
    return next((message.content or "" for message in reversed(messages) if message.role == MessageRole.USER), "")


def _pieces(turn: str) -> list[str]:
    """Return the pieces of the answer: what stands before the quotes, and each quote."""
    read = read_turn(turn)
    question, chunks = (read.question, read.chunks) if read is not None else (turn, ())
    frame = _frames()["en" if detect_language(question) == "en" else "fa"]
    quotes = best_quotes(question, chunks)
    if not quotes:
        return [frame["nothing"]]
    quoted = [frame["quote"].format(text=quote.text, number=quote.number) for quote in quotes]
    return [f"{frame['found']} ", quoted[0], *(frame["between"] + text for text in quoted[1:])]


def _response(text: str, delta: str | None = None) -> ChatResponse:
    return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=text), delta=delta)


def _responses(pieces: Sequence[str]) -> ChatResponseGen:
    text = ""
    for piece in pieces:
        text += piece
        yield _response(text, piece)


@cache
def _frames() -> dict[str, dict[str, str]]:
    frames: dict[str, dict[str, str]] = yaml.safe_load(
        files("rag_app.llms").joinpath("frames.yaml").read_text(encoding="utf-8")
    )
    return frames
