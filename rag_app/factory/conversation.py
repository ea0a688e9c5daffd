"""What checks requests, and what answers questions."""

from __future__ import annotations

from functools import partial

from llama_index.core.llms import LLM

from rag_app.chat import ChatService, FollowUps
from rag_app.config import Settings
from rag_app.kinds import is_shipped, open_own
from rag_app.llms import LLMOptions, astream_text, open_llm
from rag_app.request import Requests
from rag_app.schema import TokenBudget
from rag_app.serving import RetrievalService
from rag_app.tokens import EstimatedTokenCounter


def open_requests(settings: Settings) -> Requests:
    """Return what checks the arguments of calls."""
    return Requests(
        budget=TokenBudget(settings.context.primary_budget, settings.context.secondary_budget),
        filter_keys=settings.retrieval.filter_keys,
        deadline_s=settings.deadline_s,
    )


def open_chat(settings: Settings, retrieval: RetrievalService) -> tuple[ChatService, LLM]:
    """Return what answers questions, and the LLM behind it, which is to be closed.

    Raises:
        ConfigurationError: the LLM's package or key is missing, or one of one's own can not be made.
    """
    options = settings.llm
    key = options.api_key.get_secret_value() if options.api_key is not None else None
    if is_shipped("llm", options.kind):
        llm = open_llm(
            options.kind,
            LLMOptions(
                options.model, key, options.api_base, options.timeout_s, options.max_tokens, options.temperature
            ),
        )
    else:
        llm = open_own("llm", options.kind, options.options, LLM)
    chat = ChatService(
        retrieval,
        follow_ups=FollowUps(),
        write=partial(astream_text, llm, timeout_s=options.timeout_s, retries=options.retries),
        llm=options.kind,
        counter=EstimatedTokenCounter(),
        deadline_s=settings.deadline_s,
    )
    return chat, llm
