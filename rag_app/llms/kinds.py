"""The kinds of LLM by name."""

from __future__ import annotations

from importlib import import_module

from llama_index.core.llms import LLM

from rag_app.errors import ConfigurationError, unknown_name
from rag_app.kinds import SHIPPED, extra_of
from rag_app.llms.options import LLMOptions

KINDS = tuple(SHIPPED["llm"])


def open_llm(kind: str, options: LLMOptions) -> LLM:
    """Return an LLM of this kind; nothing is asked of its service yet.

    Args:
        kind: one of `KINDS`; each is a module of this package, imported only here.
        options: which model, and what an answer may cost; `extractive` takes none of them.

    Raises:
        ConfigurationError: the kind is unknown, its packages are missing, or a key or URL that it needs is.
    """
    if kind not in KINDS:
        raise ConfigurationError(unknown_name("llm.kind", kind, KINDS))
    with extra_of("llm", kind):
        module = import_module(f"rag_app.llms.{kind}")
    llm: LLM = module.open_with(options)
    return llm


async def aclose_llm(llm: LLM) -> None:
    """Close the connections of an LLM of `open_llm`; on the loop that it answered on."""
    aclose = getattr(llm, "aclose", None)
    if aclose is not None:
        await aclose()
