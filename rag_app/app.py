"""The application: one object that ingests, retrieves and deletes, for any tenant."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack, cast

from llama_index.core.llms import ChatMessage

from rag_app.background import BackgroundLoop
from rag_app.chat import ChatService, checked_history
from rag_app.config import Settings, load_settings
from rag_app.cross_encoder import Status
from rag_app.errors import InvalidInputError
from rag_app.factory import (
    ConfiguredLLM,
    build,
    open_chat,
    open_database,
    open_flags,
    open_requests,
    prepare_schema,
)
from rag_app.ingestion import Progress
from rag_app.logs import get_logger
from rag_app.postprocessors import CrossEncoderRerank
from rag_app.query_engine import AStreamAnswer, RagChatEngine, RagQueryEngine, RagRetriever, StreamAnswer
from rag_app.readers import Item
from rag_app.request import RetrievalOptions
from rag_app.schema import Answer, AnswerEvent, IngestReport, RetrievalQuery, RetrievalResult, checked_name
from rag_app.serving import Method
from rag_app.storage import DenseIndexStatus, DocumentPage, TenantStatistics, alist_documents, tenant_statistics

logger = get_logger(__name__)


class RagApp:
    """Persian-first retrieval and answers over one database. Open one per process; threads and requests share it.

    Attributes:
        settings: what it was opened with.
        pipeline: the four stages; its parts are LlamaIndex retrievers and postprocessors that also work alone.
        database: where everything is stored.
        service: what answers requests by that pipeline or by the old one.
        flags: what can be changed while it runs.
        loop: the event loop that everything asynchronous runs on.

    >>> with RagApp.from_config(profile="embedded", data_dir="...") as app:  # doctest: +SKIP
    ...     app.ingest([{"id": "m01", "title": "ارسال", "text": "ارسال رایگان است.", "source": "manual"}], tenant="t1")
    ...     app.retrieve("هزینه ارسال چقدره؟", tenant="t1").context
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        with ExitStack() as opened:
            self.database = open_database(settings)
            self.loop = BackgroundLoop()
            opened.callback(self.loop.close)
            opened.callback(self.loop.call, self.database.aclose)
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
            gc.freeze()  # a full collection would stop every request for as long as it walks the libraries: 0.2 s
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

    @classmethod
    def from_config(cls, config: str | Path | None = None, **settings: Any) -> RagApp:
        """Open an application.

        Args:
            config: a YAML file of settings.
            settings: any setting by name, such as `profile="embedded"` or `rerank={"kind": "none"}`.

        Raises:
            ConfigurationError: a setting is unknown or has no valid value.
            StorageError: the database does not start, does not answer or has another schema.
        """
        return cls(load_settings(config, **settings))

    def ingest(
        self,
        items: Iterable[Item] | str | Path,
        *,
        tenant: str,
        source: str | None = None,
        prune: bool = False,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Store documents for `tenant`; storing the same again changes nothing.

        A tenant that has become large gets its dense index in the background; `close` waits for it.

        Args:
            items: records (`{"id", "text", "title", "source", "metadata"}`), LlamaIndex documents, files or folders; or
                one file or folder.
            tenant: whose documents they are.
            source: the source of documents that name none.
            prune: delete the documents of `source`, or of the tenant if it is None, that were there before and are not
                among `items`; nothing is deleted if an item had to be skipped. What another process or thread writes
                meanwhile stays.
            progress: called with the number of documents done and the id of the last.

        Raises:
            InvalidInputError: `tenant` or `source` can not be used. A document that can not is skipped and reported.
            IndexMismatchError: the stored index was built with another analyser or embedding.
            DatabaseUnavailableError: the database does not answer; documents before stay stored.
        """
        given = [items] if isinstance(items, str | Path) else items
        report = self._components.ingestion.run(given, tenant=tenant, source=source, prune=prune, progress=progress)
        self._follow_in_background(tenant, self._components.dense_indexes.refresh)
        return report

    async def aingest(self, items: Iterable[Item] | str | Path, **options: Any) -> IngestReport:
        """Do what `ingest` does, without blocking the loop."""
        return await asyncio.to_thread(self.ingest, items, **options)

    def retrieve(self, query: str, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RetrievalResult:
        """Find the context that answers `query` from the documents of `tenant`.

        Args:
            query: the customer's question, as typed.
            tenant: whose documents may be found.
            primary_source: the source that gets the primary share of the budget; None searches all sources.
            secondary_sources: the sources that share the secondary budget.
            primary_budget: tokens for the primary source; the configured one if None.
            secondary_budget: tokens for the secondary sources; the configured one if None.
            filters: what the metadata of a document must hold to be found: values by key, each one value or a list of
                which any will do. Keys are `doc_id`, `kind`, `title` and those in `retrieval.filter_keys`.
            method: "production_rag", the four stages; "context_retriever", the old way; or "by_flags", which sends the
                tenant to one of them.

        Returns:
            The chunks, the context and the trace. A part that failed is in the trace; an empty result says why.

        Raises:
            InvalidInputError: an argument is of a wrong type, names no tenant or source, filters by a key that is not
                allowed, or is a budget below 0.
        """
        return self.loop.call(self.service.answer, *self._requests.checked(query, tenant, options))

    async def aretrieve(self, query: str, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RetrievalResult:
        """Do what `retrieve` does, without blocking the loop."""
        return await self.loop.acall(self.service.answer, *self._requests.checked(query, tenant, options))

    def answer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> Answer:
        """Answer a question from the documents of `tenant`, in its language and with its sources by number.

        Args:
            question: the customer's question, as typed; it may lean on what was said before.
            tenant: whose documents may be used.
            history: the turns before, of the user and the assistant, oldest first.
            options: as for `retrieve`.

        Returns:
            The text, its citations and what it rests on. If the LLM failed, or nothing was found to answer from, the
            text says so to the customer, and `outcome` to you.

        Raises:
            InvalidInputError: an argument can not be used.
        """
        return _whole(list(self.stream_answer(question, tenant=tenant, history=history, **options)))

    async def aanswer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> Answer:
        """Do what `answer` does, without blocking the loop."""
        events = self.astream_answer(question, tenant=tenant, history=history, **options)
        return _whole([event async for event in events])

    def stream_answer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> Iterator[AnswerEvent]:
        """Answer as `answer` does, step by step: `Retrieved`, each `Delta` of the text when it comes, `Answer`.

        Raises:
            InvalidInputError: an argument can not be used; at once, not at the first step.
        """
        request = self._requests.checked(question, tenant, options)
        return self.loop.stream(self._answered, *request, checked_history(history))

    def astream_answer(
        self,
        question: str,
        *,
        tenant: str,
        history: Sequence[ChatMessage] = (),
        **options: Unpack[RetrievalOptions],
    ) -> AsyncIterator[AnswerEvent]:
        """Do what `stream_answer` does, without blocking the loop."""
        request = self._requests.checked(question, tenant, options)
        return self.loop.astream(self._answered, *request, checked_history(history))

    def as_retriever(self, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RagRetriever:
        """Return `retrieve` for a tenant as a LlamaIndex retriever; `options` as there."""
        self._requests.checked("", tenant, options)
        return RagRetriever(
            partial(self.retrieve, tenant=tenant, **options), partial(self.aretrieve, tenant=tenant, **options)
        )

    def as_query_engine(
        self, *, tenant: str, streaming: bool = False, **options: Unpack[RetrievalOptions]
    ) -> RagQueryEngine:
        """Return `answer` for a tenant as a LlamaIndex query engine; `options` as for `retrieve`."""
        self._requests.checked("", tenant, options)
        return RagQueryEngine(*self._streams(tenant, options), streaming=streaming)

    def as_chat_engine(self, *, tenant: str, **options: Unpack[RetrievalOptions]) -> RagChatEngine:
        """Return `answer` for a tenant as a LlamaIndex chat engine, which keeps one conversation."""
        self._requests.checked("", tenant, options)
        return RagChatEngine(*self._streams(tenant, options))

    async def _answered(
        self, query: RetrievalQuery, method: Method, history: Sequence[ChatMessage]
    ) -> AsyncIterator[AnswerEvent]:
        """Answer on our loop; the first answer opens the LLM, whose packages take seconds to import, in a thread."""
        chat: ChatService = await asyncio.to_thread(getattr, self, "chat") if "chat" not in vars(self) else self.chat
        async with aclosing(chat.astream(query, method, history)) as events:
            async for event in events:
                yield event

    def _streams(self, tenant: str, options: RetrievalOptions) -> tuple[StreamAnswer, AStreamAnswer]:
        return (
            partial(self.stream_answer, tenant=tenant, **options),
            partial(self.astream_answer, tenant=tenant, **options),
        )

    def documents(
        self, *, tenant: str, source: str | None = None, limit: int = 100, after: str | None = None
    ) -> DocumentPage:
        """List what a tenant has stored, in the order of the ids.

        Args:
            tenant: whose documents.
            source: those of this source alone.
            limit: how many at most, 1 or more.
            after: the `next` of the page before.

        Raises:
            InvalidInputError: `tenant` or `source` can not be used, or `limit` is below 1.
            DatabaseUnavailableError: the database does not answer.
        """
        return self.loop.call(self._page, tenant, source, limit, after)

    async def adocuments(
        self, *, tenant: str, source: str | None = None, limit: int = 100, after: str | None = None
    ) -> DocumentPage:
        """Do what `documents` does, without blocking the loop."""
        return await self.loop.acall(self._page, tenant, source, limit, after)

    def warm_up(self) -> tuple[Status, ...]:
        """Load the models that the pipeline needs, wait for them, and return what can be told of each.

        A model that can not be loaded is told of and not raised: the pipeline does without it.
        """
        return tuple(reranker.load() for reranker in self._cross_encoders)

    def delete(self, doc_id: str, *, tenant: str) -> bool:
        """Delete a document with all its chunks; False if the tenant has none of this id."""
        deleted = self._components.writer.delete(checked_name("tenant", tenant), checked_name("document id", doc_id))
        self._follow_in_background(tenant)
        return deleted

    async def adelete(self, doc_id: str, *, tenant: str) -> bool:
        """Do what `delete` does, without blocking the loop."""
        return await asyncio.to_thread(self.delete, doc_id, tenant=tenant)

    def delete_source(self, source: str, *, tenant: str) -> int:
        """Delete all documents of a source and return how many there were."""
        deleted = self._components.writer.delete_source(checked_name("tenant", tenant), checked_name("source", source))
        self._follow_in_background(tenant)
        return deleted

    async def adelete_source(self, source: str, *, tenant: str) -> int:
        """Do what `delete_source` does, without blocking the loop."""
        return await asyncio.to_thread(self.delete_source, source, tenant=tenant)

    def delete_tenant(self, tenant: str) -> int:
        """Delete all documents of a tenant, and its dense index, and return how many documents there were.

        An ingestion that runs meanwhile goes on: of its documents those are left that it writes after this.
        """
        deleted = self._components.writer.delete_tenant(checked_name("tenant", tenant))
        self._follow_in_background(tenant, self._components.dense_indexes.refresh)
        return deleted

    async def adelete_tenant(self, tenant: str) -> int:
        """Do what `delete_tenant` does, without blocking the loop."""
        return await asyncio.to_thread(self.delete_tenant, tenant)

    def reindex(self, tenant: str | None = None) -> list[DenseIndexStatus]:
        """Build, measure or drop the dense index that a tenant's size asks for, or those of all tenants, and wait.

        A dense store beside PostgreSQL is brought up to date first.

        Raises:
            ComponentError: that store does not answer or refuses.
            DatabaseUnavailableError: the database does not answer.
            StorageError: the database's user does not own the tables.
        """
        indexes = self._components.dense_indexes
        tenants = indexes.tenants() if tenant is None else [checked_name("tenant", tenant)]
        for follower in self._components.followers:
            for each in tenants:
                follower.refresh(each)
        return [indexes.refresh(each) for each in tenants]

    def stats(self, tenant: str) -> TenantStatistics:
        """Count what a tenant has stored and tell how it is searched; this reads all its rows.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        held = self._components.bm25_indexes.generation(checked_name("tenant", tenant))
        return tenant_statistics(self.database, self._components.dense_indexes, tenant, bm25_generation=held)

    async def _page(self, tenant: str, source: str | None, limit: int, after: str | None) -> DocumentPage:
        if limit < 1:
            raise InvalidInputError(f"limit must be 1 or more, not {limit}")
        checked_name("tenant", tenant)
        if source is not None:
            checked_name("source", source)
        if after is not None:
            checked_name("after", after)
        return await alist_documents(self.database, tenant, source=source, limit=limit, after=after)

    def _follow_in_background(self, tenant: str, *further: Callable[[str], object]) -> None:
        """Have indexes follow a write, one after the other; what fails costs no caller anything."""
        for refresh in (*(follower.refresh for follower in self._components.followers), *further):
            self._indexing.submit(_attempt, refresh, tenant)

    def close(self) -> None:
        """Close the connections; closing again does nothing. The embedded server stops with its last process."""
        self._opened.close()

    def __enter__(self) -> RagApp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _attempt(refresh: Callable[[str], object], tenant: str) -> None:
    try:
        refresh(tenant)
    except Exception as error:  # noqa: BLE001 - queries do without, or bring it up to date themselves
        logger.warning("a dense index is not up to date, run rag-app db reindex: %s", error)


def _whole(events: Sequence[AnswerEvent]) -> Answer:
    """Return the last step of an answer."""
    return cast("Answer", events[-1])
