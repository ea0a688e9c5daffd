"""Who counts tokens, by the name of the setting."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag_app.errors import ConfigurationError
from rag_app.schema import ContextTokenCounter, TokenCounter
from rag_app.tokens.estimate import EstimatedTokenCounter
from rag_app.tokens.gemini_local import LocalTokenCounter, cached_file

CounterKind = Literal["auto", "estimate", "gemini_local", "gemini_api"]


@dataclass(frozen=True)
class Counters:
    """Who counts.

    Attributes:
        counter: counts sentences while a context is put together, and the context itself.
        final_counter: counts the finished context in its place, by a request.
    """

    counter: TokenCounter
    final_counter: ContextTokenCounter | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self.final_counter is not None:
            await self.final_counter.aclose()


def open_counters(
    kind: CounterKind,
    tokenizer_file: Path | None = None,
    *,
    model: str,
    api_key: str | None = None,
    api_base: str | None = None,
) -> Counters:
    """Return who counts; nothing is asked of any service yet.

    Args:
        kind: "auto" for Gemini's tokenizer if its file is here, else the estimate; "gemini_api" for a request for each
            finished context, and what "auto" is for the rest.
        tokenizer_file: a SentencePiece model; what google-genai has fetched before if None.
        model: the model that "gemini_api" counts for.
        api_key: its key; that of `GOOGLE_API_KEY` or `GEMINI_API_KEY` if None.
        api_base: the URL of the service, if it is not Google's.

    Raises:
        ConfigurationError: a file, a key or a package that is needed is missing, or the file is no tokenizer.
    """
    if kind == "estimate":
        return Counters(EstimatedTokenCounter())
    if kind == "gemini_local":
        return Counters(LocalTokenCounter(_required(tokenizer_file)))
    counter = _automatic(tokenizer_file)
    if kind == "auto":
        return Counters(counter)
    try:
        from rag_app.tokens.gemini_api import GeminiAPITokenCounter
    except ImportError as error:
        raise ConfigurationError(
            'context.token_counter "gemini_api" needs more packages: pip install "rag-app[google-genai]"'
        ) from error
    return Counters(counter, GeminiAPITokenCounter(model, api_key, api_base))


def _automatic(tokenizer_file: Path | None) -> TokenCounter:
    if tokenizer_file is None and importlib.util.find_spec("sentencepiece") is None:
        return EstimatedTokenCounter()
    file = tokenizer_file or cached_file()
    return LocalTokenCounter(file) if file is not None else EstimatedTokenCounter()


def _required(tokenizer_file: Path | None) -> Path:
    file = tokenizer_file or cached_file()
    if file is None:
        raise ConfigurationError(
            'context.token_counter "gemini_local" needs context.tokenizer_file, a SentencePiece model such as the '
            "tokenizer.model of Gemma 3: google-genai has fetched none on this machine"
        )
    return file
