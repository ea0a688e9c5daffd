from __future__ import annotations

import subprocess
import sys

import pytest
from llama_index.core.llms import ChatMessage

from rag_app.errors import ConfigurationError
from rag_app.llms import KINDS, ExtractiveLLM, LLMOptions, aclose_llm, open_llm
from tests.gemini_server import GeminiServer
from tests.llms.conftest import KEY, NETWORK_KINDS, options_for


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_kinds() -> None:
    assert set(KINDS) == {"extractive", *NETWORK_KINDS}
    assert isinstance(open_llm("extractive", LLMOptions()), ExtractiveLLM)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown llm.kind 'google-genai': did you mean 'google_genai'\?"):
        open_llm("google-genai", LLMOptions())


@pytest.mark.parametrize(
    ("kind", "package", "extra"),
    [
        ("google_genai", "llama_index.llms.google_genai", "google-genai"),
        ("gemini", "llama_index.llms.gemini", "gemini"),
        ("openai_like", "llama_index.llms.openai_like", "openai-like"),
    ],
)
def test_a_missing_extra_is_named(kind: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, f"rag_app.llms.{kind}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError) as raised:
        open_llm(kind, LLMOptions(api_key=KEY, api_base="http://127.0.0.1:1"))
    assert str(raised.value).endswith(f'pip install "rag-app[{extra}]"')


@pytest.mark.parametrize("kind", ["google_genai", "gemini"])
def test_gemini_needs_a_key(kind: str) -> None:
    with pytest.raises(ConfigurationError, match="Gemini needs an API key"):
        open_llm(kind, LLMOptions())


@pytest.mark.parametrize("kind", ["google_genai", "gemini"])
@pytest.mark.parametrize("variable", ["GOOGLE_API_KEY", "GEMINI_API_KEY"])
async def test_the_key_of_the_environment(
    kind: str, variable: str, server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "from-the-environment")
    llm = open_llm(kind, LLMOptions(api_base=server.url))
    assert not server.requests  # to open one asks for nothing
    async for _ in await llm.astream_chat([_user("سلام")]):
        pass
    (request,) = server.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-goog-api-key"] == "from-the-environment"
    assert "from-the-environment" not in request.path
    await aclose_llm(llm)


def test_openai_like_needs_to_know_where() -> None:
    with pytest.raises(ConfigurationError, match=r"needs llm\.api_base"):
        open_llm("openai_like", LLMOptions())


async def test_openai_like_needs_no_key(server: GeminiServer) -> None:
    llm = open_llm("openai_like", LLMOptions(api_base=f"{server.url}/v1"))
    async for _ in await llm.astream_chat([_user("سلام")]):
        pass
    assert len(server.requests) == 1
    await aclose_llm(llm)


def test_keys_are_not_shown() -> None:
    assert KEY not in repr(LLMOptions(api_key=KEY))


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("gemini-2.5-flash", {"thinking_budget": 0}),
        ("gemini-2.5-flash-lite", {"thinking_budget": 0}),
        ("gemini-2.5-pro", {"thinking_budget": 128}),
        ("gemini-3-flash", {"thinking_level": "LOW"}),
        ("gemini-2.0-flash", None),
    ],
)
async def test_a_model_thinks_no_more_than_it_must(
    model: str, thinking: dict[str, object] | None, server: GeminiServer
) -> None:
    llm = open_llm("google_genai", LLMOptions(model=model, api_key=KEY, api_base=server.url))
    async for _ in await llm.astream_chat([_user("سلام")]):
        pass
    assert server.requests[0].body["generationConfig"].get("thinkingConfig") == thinking
    await aclose_llm(llm)


def test_the_clients_are_loaded_by_those_who_use_them() -> None:
    heavy = "{'google.genai', 'google.generativeai', 'openai', 'google.ai.generativelanguage'}"
    code = f"import sys, rag_app.llms; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", NETWORK_KINDS)
async def test_closing_what_was_never_used(kind: str, server: GeminiServer) -> None:
    await aclose_llm(open_llm(kind, options_for(kind, server)))


def _user(text: str) -> ChatMessage:
    return ChatMessage(content=text)
