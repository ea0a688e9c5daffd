"""What both clients of Gemini have in common: the key, how an answer ended, and how much the model may think."""

from __future__ import annotations

import os
import re

from rag_app.errors import ConfigurationError
from rag_app.llms.failures import blocked, cut_off
from rag_app.llms.options import LLMOptions

CONTEXT_WINDOW = 1_048_576  # tokens; of all models since 1.5
_KEPT_BACK = re.compile(r"SAFETY|RECITATION|BLOCKLIST|PROHIBITED_CONTENT|SPII")


def api_key_of(options: LLMOptions) -> str:
    """Return the key, from the options or the environment.

    Raises:
        ConfigurationError: there is none.
    """
    key = options.api_key or os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY")
    if not key:
        raise ConfigurationError(
            "Gemini needs an API key: set llm.api_key, RAG_APP_LLM__API_KEY, GOOGLE_API_KEY or GEMINI_API_KEY"
        )
    return key


def counted(prompt: int | None, total: int | None) -> dict[str, int]:
    """Return the tokens that the API tells of, by LlamaIndex's names; what the model thought is part of its answer."""
    return {"prompt_tokens": prompt, "completion_tokens": total - prompt} if prompt and total else {}


def check_prompt(block_reason: str | None) -> None:
    """Raise the failure of a prompt that was blocked, if it was, for this reason of the API."""
    if block_reason and block_reason != "BLOCK_REASON_UNSPECIFIED":
        raise blocked(f"the prompt: {block_reason}")


def check_finish(reason: str | None) -> None:
    """Raise the failure that a finish reason of the API tells of; None if the answer had none when it ended."""
    if reason == "STOP":
        return
    if reason and _KEPT_BACK.search(reason):
        raise blocked(reason)
    if reason == "MAX_TOKENS":
        raise cut_off("llm.max_tokens, in which a model's thoughts count too, was reached")
    raise cut_off(reason or "no finish reason came")
