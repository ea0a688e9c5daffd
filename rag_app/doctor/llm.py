"""Whether the LLM that writes answers can be opened."""

from __future__ import annotations

import asyncio

from rag_app.config import Settings
from rag_app.doctor.findings import Check
from rag_app.errors import ConfigurationError
from rag_app.factory import open_configured_llm
from rag_app.llms import aclose_llm


def llm_check(settings: Settings) -> Check:
    """Open the LLM without asking it anything."""
    options = settings.llm
    try:
        llm = open_configured_llm(settings)
    except ConfigurationError as error:
        answer = "retrieval needs no LLM; for answers mend that, or set llm.kind: extractive, which needs no key"
        return Check("llm", "warning", str(error), answer)
    asyncio.run(aclose_llm(llm))
    if options.kind == "extractive":
        return Check("llm", "ok", "llm.kind is extractive, which quotes the chunks and needs neither key nor network")
    return Check(
        "llm", "ok", f"llm.kind is {options.kind}, model {options.model}; whether it answers: `rag-app verify`"
    )
