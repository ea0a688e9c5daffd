"""The reader's interface over plain dicts."""

from __future__ import annotations

import asyncio

from rag_app.storage.chunks import ChunkTokens, TokenChanges, TokenSnapshot


def chunk(doc_id: str, tokens: str, source: str = "manual", number: int = 0) -> ChunkTokens:
    """A chunk that is its own parent."""
    return ChunkTokens(f"{doc_id}-{number}", f"{doc_id}/{number}", doc_id, source, tokens)


class MemoryReader:
    """Tells of documents and counts how often it is asked.

    Attributes:
        reads: the tenants whose chunks were read whole.
        wait_s: how long an answer takes after it is known.
        failures: how many of the first answers fail.
        forgotten: the generation before which changes can not be told.
    """

    def __init__(self, wait_s: float = 0.0, failures: int = 0) -> None:
        self._documents: dict[str, dict[str, list[ChunkTokens]]] = {}
        self._written: dict[str, dict[str, int]] = {}
        self.generations: dict[str, int] = {}
        self.reads: list[str] = []
        self.wait_s = wait_s
        self.failures = failures
        self.forgotten = 0

    def write(self, tenant: str, doc_id: str, texts: list[str], source: str = "manual") -> int:
        """Write a document, or delete it if it has no texts; return the generation."""
        documents = self._documents.setdefault(tenant, {})
        documents.pop(doc_id, None)
        if texts:
            documents[doc_id] = [chunk(doc_id, text, source, number) for number, text in enumerate(texts)]
        self.generations[tenant] = self.generations.get(tenant, 0) + 1
        self._written.setdefault(tenant, {})[doc_id] = self.generations[tenant]
        return self.generations[tenant]

    def snapshot(self, tenant: str) -> TokenSnapshot:
        chunks = [chunk for chunks in self._documents.get(tenant, {}).values() for chunk in chunks]
        return TokenSnapshot(self.generations.get(tenant, 0), chunks)

    def changes(self, tenant: str, since: int) -> TokenChanges | None:
        if since < self.forgotten:
            return None
        doc_ids = {doc_id for doc_id, generation in self._written.get(tenant, {}).items() if generation > since}
        chunks = [chunk for chunk in self.snapshot(tenant).chunks if chunk.doc_id in doc_ids]
        return TokenChanges(self.generations.get(tenant, 0), chunks, frozenset(doc_ids))

    async def atokens(self, tenant: str) -> TokenSnapshot:
        self.reads.append(tenant)
        known = self.snapshot(tenant)
        await asyncio.sleep(self.wait_s)
        if len(self.reads) <= self.failures:
            raise OSError("down")
        return known

    async def achanges(self, tenant: str, since: int) -> TokenChanges | None:
        known = self.changes(tenant, since)
        await asyncio.sleep(self.wait_s)
        return known
