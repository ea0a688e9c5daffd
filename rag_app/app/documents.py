"""The calls that write, list, count and delete a tenant's documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rag_app.app.opened import OpenedApp
from rag_app.errors import InvalidInputError
from rag_app.ingestion import Progress
from rag_app.logs import get_logger
from rag_app.readers import Item
from rag_app.schema import IngestReport, checked_name
from rag_app.storage import DenseIndexStatus, DocumentPage, TenantStatistics, alist_documents, tenant_statistics

logger = get_logger(__name__)


class DocumentCalls(OpenedApp):
    """Keeps the documents of any tenant."""

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


def _attempt(refresh: Callable[[str], object], tenant: str) -> None:
    try:
        refresh(tenant)
    except Exception as error:  # noqa: BLE001 - queries do without, or bring it up to date themselves
        logger.warning("a dense index is not up to date, run rag-app db reindex: %s", error)
