"""What checks requests, the LLM, and what answers questions by it."""

from __future__ import annotations

from functools import partial
from threading import Lock

from llama_index.core.llms import LLM

from rag_app.callbacks import bounded
from rag_app.chat import ChatService, FollowUps
from rag_app.config import Settings
from rag_app.kinds import is_shipped, open_own
from rag_app.llms import LLMOptions, Write, aclose_llm, astream_answer, astream_text, open_llm
from rag_app.request import Requests
from rag_app.schema import TokenBudget, TokenCounter
from rag_app.serving import RetrievalService

_REWRITE_S = 3.0  # what an LLM may take to make a question stand alone


def open_requests(settings: Settings) -> Requests:
    """Return what checks the arguments of calls."""
    return Requests(
        budget=TokenBudget(settings.context.primary_budget, settings.context.secondary_budget),
        filter_keys=settings.retrieval.filter_keys,
        deadline_s=settings.deadline_s,
    )


def open_configured_llm(settings: Settings) -> LLM:
    """Return the LLM that writes answers; nothing is asked of its service yet.

    Raises:
        ConfigurationError: its package, its key or its URL is missing, or one of one's own can not be made.
    """
    options = settings.llm
    if not is_shipped("llm", options.kind):
        own: LLM = open_own("llm", options.kind, options.options, LLM)
        return own
    key = options.api_key.get_secret_value() if options.api_key is not None else None
    return open_llm(
        options.kind,
        LLMOptions(options.model, key, options.api_base, options.timeout_s, options.max_tokens, options.temperature),
    )


class ConfiguredLLM:
    """The LLM of the settings, opened when it is first needed: who only retrieves needs neither key nor package.

    Threads may share it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._opened: LLM | None = None

    def get(self) -> LLM:
        """Return the LLM.

        Raises:
            ConfigurationError: as `open_configured_llm` does.
        """
        with self._lock:
            if self._opened is None:
                self._opened = bounded(open_configured_llm(self._settings))
            return self._opened

    async def aclose(self) -> None:
        """Close its connections, on the loop that it answered on."""
        if self._opened is not None:
            await aclose_llm(self._opened)


def quick_writer(settings: Settings, llm: ConfiguredLLM) -> Write | None:
    """Return what has the LLM help in reading a question, in little time; None if it is no language model."""
    if settings.llm.kind == "extractive":
        return None
    return partial(astream_text, llm.get(), timeout_s=min(_REWRITE_S, settings.llm.timeout_s), retries=0)


def open_chat(
    settings: Settings, retrieval: RetrievalService, llm: ConfiguredLLM, counter: TokenCounter
) -> ChatService:
    """Return what answers questions by the configured LLM; `counter` counts the history, and the answer."""
    options = settings.llm
    return ChatService(
        retrieval,
        follow_ups=FollowUps(quick_writer(settings, llm)),
        write=partial(astream_answer, llm.get(), timeout_s=options.timeout_s, retries=options.retries),
        llm=options.kind,
        counter=counter,
    )
