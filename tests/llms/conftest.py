"""A server that answers by a script, and the clients that ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from llama_index.core.llms import LLM

from rag_app.llms import LLMOptions, aclose_llm, open_llm
from tests.gemini_server import GeminiServer, gemini_server

NETWORK_KINDS = ("google_genai", "gemini", "openai_like")
KEY = "key-that-nobody-may-read"


def options_for(kind: str, server: GeminiServer, *, timeout_s: float = 10) -> LLMOptions:
    """Return what makes an LLM of a network kind ask the server."""
    base = f"{server.url}/v1" if kind == "openai_like" else server.url
    return LLMOptions(api_key=KEY, api_base=base, timeout_s=timeout_s, max_tokens=77, temperature=0.5)


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with gemini_server() as opened:
        yield opened


@pytest.fixture(params=NETWORK_KINDS)
async def llm(request: pytest.FixtureRequest, server: GeminiServer) -> AsyncIterator[LLM]:
    """An LLM of each kind in turn, whose service is the server."""
    opened = open_llm(request.param, options_for(request.param, server))
    yield opened
    await aclose_llm(opened)
