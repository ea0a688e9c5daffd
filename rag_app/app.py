"""The application: one object that ingests, retrieves and deletes, for any tenant."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, cast, get_args

from rag_app.background import BackgroundLoop
from rag_app.config import Settings, load_settings
from rag_app.cross_encoder import Status
from rag_app.errors import InvalidInputError, unknown_name
from rag_app.factory import build, open_database, open_flags, prepare_schema
from rag_app.filters import Filters, parse_filters
from rag_app.ingestion import Progress
from rag_app.logs import get_logger
from rag_app.postprocessors import CrossEncoderRerank
from rag_app.readers import Item
from rag_app.schema import (
    Deadline,
    IngestReport,
    RetrievalQuery,
    RetrievalResult,
    TokenBudget,
    checked_name,
)
from rag_app.serving import Method
from rag_app.storage import DenseIndexStatus, DocumentPage, TenantStatistics, alist_documents, tenant_statistics

logger = get_logger(__name__)


class RagApp:
    """Persian-first retrieval over one database. Open one per process and share it between threads and requests.

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
            self._components = build(settings, self.database, self.loop, self.flags)
            self.service = self._components.service
            self.pipeline = self._components.retrieval
            opened.callback(self.loop.call, self.service.aclose)
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
        self._indexing.submit(self._reindex_in_background, tenant)
        return report

    async def aingest(self, items: Iterable[Item] | str | Path, **options: Any) -> IngestReport:
        """Do what `ingest` does, without blocking the loop."""
        return await asyncio.to_thread(self.ingest, items, **options)

    def retrieve(
        self,
        query: str,
        *,
        tenant: str,
        primary_source: str | None = None,
        secondary_sources: Sequence[str] = (),
        primary_budget: int | None = None,
        secondary_budget: int | None = None,
        filters: Filters | None = None,
        method: Method = "production_rag",
    ) -> RetrievalResult:
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
        request = self._request(
            query, tenant, primary_source, secondary_sources, primary_budget, secondary_budget, filters
        )
        return self.loop.call(self.service.answer, request, _checked_method(method))

    async def aretrieve(
        self,
        query: str,
        *,
        tenant: str,
        primary_source: str | None = None,
        secondary_sources: Sequence[str] = (),
        primary_budget: int | None = None,
        secondary_budget: int | None = None,
        filters: Filters | None = None,
        method: Method = "production_rag",
    ) -> RetrievalResult:
        """Do what `retrieve` does, without blocking the loop."""
        request = self._request(
            query, tenant, primary_source, secondary_sources, primary_budget, secondary_budget, filters
        )
        return await self.loop.acall(self.service.answer, request, _checked_method(method))

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
        return self._components.writer.delete(checked_name("tenant", tenant), checked_name("document id", doc_id))

    async def adelete(self, doc_id: str, *, tenant: str) -> bool:
        """Do what `delete` does, without blocking the loop."""
        return await asyncio.to_thread(self.delete, doc_id, tenant=tenant)

    def delete_source(self, source: str, *, tenant: str) -> int:
        """Delete all documents of a source and return how many there were."""
        return self._components.writer.delete_source(checked_name("tenant", tenant), checked_name("source", source))

    async def adelete_source(self, source: str, *, tenant: str) -> int:
        """Do what `delete_source` does, without blocking the loop."""
        return await asyncio.to_thread(self.delete_source, source, tenant=tenant)

    def delete_tenant(self, tenant: str) -> int:
        """Delete all documents of a tenant, and its dense index, and return how many documents there were.

        An ingestion that runs meanwhile goes on: of its documents those are left that it writes after this.
        """
        deleted = self._components.writer.delete_tenant(checked_name("tenant", tenant))
        self._indexing.submit(self._reindex_in_background, tenant)
        return deleted

    async def adelete_tenant(self, tenant: str) -> int:
        """Do what `delete_tenant` does, without blocking the loop."""
        return await asyncio.to_thread(self.delete_tenant, tenant)

    def reindex(self, tenant: str | None = None) -> list[DenseIndexStatus]:
        """Build, measure or drop the dense index that a tenant's size asks for, or those of all tenants, and wait.

        Raises:
            DatabaseUnavailableError: the database does not answer.
            StorageError: the database's user does not own the tables.
        """
        indexes = self._components.dense_indexes
        tenants = indexes.tenants() if tenant is None else [checked_name("tenant", tenant)]
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

    def _reindex_in_background(self, tenant: str) -> None:
        try:
            self.reindex(tenant)
        except Exception as error:  # noqa: BLE001 - what is stored is found without an index too
            logger.warning("a dense index was not built, run rag-app db reindex: %s", error)

    def close(self) -> None:
        """Close the connections; closing again does nothing. The embedded server stops with its last process."""
        self._opened.close()

    def __enter__(self) -> RagApp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _request(
        self,
        query: str,
        tenant: str,
        primary_source: str | None,
        secondary_sources: Sequence[str],
        primary_budget: int | None,
        secondary_budget: int | None,
        filters: Filters | None,
    ) -> RetrievalQuery:
        if not isinstance(query, str):
            raise InvalidInputError(f"query must be a string, not {type(query).__name__}")
        if isinstance(secondary_sources, str):
            raise InvalidInputError(
                f"secondary_sources must be a list of sources, not the string {secondary_sources!r}"
            )
        if not isinstance(secondary_sources, Sequence):
            raise InvalidInputError(
                f"secondary_sources must be a list of sources, not {type(secondary_sources).__name__}"
            )
        defaults = self.settings.context
        sources = None
        if primary_source is not None:
            sources = tuple(checked_name("source", source) for source in (primary_source, *secondary_sources))
        elif secondary_sources:
            raise InvalidInputError("secondary_sources need a primary_source")
        return RetrievalQuery(
            query_str=query,
            tenant=checked_name("tenant", tenant),
            sources=sources,
            filters=parse_filters(filters, self.settings.retrieval.filter_keys),
            budget=TokenBudget(
                defaults.primary_budget if primary_budget is None else primary_budget,
                defaults.secondary_budget if secondary_budget is None else secondary_budget,
                primary_source,
            ),
            deadline=Deadline.after(self.settings.deadline_s),
        )


def _checked_method(method: str) -> Method:
    if method not in get_args(Method):
        raise InvalidInputError(unknown_name("method", str(method), get_args(Method)))
    return cast("Method", method)
