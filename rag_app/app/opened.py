"""What an application holds while it is open, and its end."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Self

from rag_app.background import BackgroundLoop
from rag_app.chat import ChatService
from rag_app.config import Settings
from rag_app.cross_encoder import Status
from rag_app.factory import (
    ConfiguredLLM,
    build,
    open_chat,
    open_database,
    open_flags,
    open_requests,
    prepare_schema,
)
from rag_app.postprocessors import CrossEncoderRerank


class OpenedApp:
    """The parts of an application, opened in order and closed in reverse."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        with ExitStack() as opened:
            self.database = open_database(settings)
            opened.callback(self.database.close_of_threads)
            self.loop = BackgroundLoop()
            opened.callback(self.loop.close)  # which waits for its threads, such as those that read vectors into memory
            opened.callback(self.loop.call, self.database.aclose_of_coroutines)
            prepare_schema(settings, self.database)
            self.flags = open_flags(settings, self.database)
            opened.callback(self.flags.close)
            self._llm = ConfiguredLLM(settings)
            opened.callback(self.loop.call, self._llm.aclose)
            self._components = build(settings, self.database, self.loop, self.flags, self._llm)
            if self._components.embedding.aclose is not None:
                opened.callback(self.loop.call, self._components.embedding.aclose)
            for follower in self._components.followers:
                opened.callback(follower.close)
            self.service = self._components.service
            self.pipeline = self._components.retrieval
            opened.callback(self.loop.call, self.service.aclose)
            opened.callback(self.loop.call, self._components.counters.aclose)
            self._requests = open_requests(settings)
            self._indexing = ThreadPoolExecutor(1, thread_name_prefix="rag_app-index")
            opened.callback(self._indexing.shutdown)
            rerankers = self.pipeline.rerankers.values()
            self._cross_encoders = [reranker for reranker in rerankers if isinstance(reranker, CrossEncoderRerank)]
            for reranker in self._cross_encoders:
                opened.callback(reranker.close)
            self.flags.get_value("production_rag")  # they are read now, not within the first request's deadline
            _freeze()
            opened.callback(gc.unfreeze)
            self._opened = opened.pop_all()
        if settings.rerank.load == "eager":
            self.warm_up()

    @cached_property
    def chat(self) -> ChatService:
        """What answers questions, on top of `service`; the LLM behind it is opened when it is first needed.

        Raises:
            ConfigurationError: the LLM's package, key or URL is missing.
        """
        return open_chat(self.settings, self.service, self._llm, self._components.counters.counter)

    def warm_up(self) -> tuple[Status, ...]:
        """Load the models that the pipeline needs, wait for them, and return what can be told of each.

        A model that can not be loaded is told of and not raised: the pipeline does without it.
        """
        loaded = tuple(reranker.load() for reranker in self._cross_encoders)
        _freeze()
        return loaded

    def close(self) -> None:
        """Close the connections; closing again does nothing. The embedded server stops with its last process."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _freeze() -> None:
    """Take what is loaded out of the garbage collector's reach: to walk it would stop every request for some 0.2 s.

    A full collection then follows, of nothing. The next comes when a quarter of what the last one walked is there anew:
    if that were all that is frozen, garbage would stay for as long.
    """
    gc.freeze()
    gc.collect()
