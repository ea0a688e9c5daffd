"""Reading what retrieval needs: chunks by id, parents, and the tokens that BM25 indexes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import LiteralString, NamedTuple

from llama_index.core.schema import NodeWithScore, TextNode

from rag_app import metrics
from rag_app.errors import DatabaseUnavailableError
from rag_app.schema import RetrievalQuery
from rag_app.storage.database import Database
from rag_app.storage.node_memory import NodeMemory

_NODES: LiteralString = """
    SELECT text, metadata_ ->> '_node_content' AS node FROM rag_app.data_chunks
    WHERE tenant = %(tenant)s AND node_id = ANY(%(ids)s)
"""
_PARENTS: LiteralString = """
    SELECT parent_id, text, start_char FROM rag_app.parents WHERE tenant = %(tenant)s AND parent_id = ANY(%(ids)s)
"""
# Chunks and generation in one statement, which sees one state. Documents that are written at the same time take turns
# with the ids.
_TOKENS: LiteralString = """
    SELECT known.generation, node_id, parent_id, doc_id, source, tokens
    FROM rag_app.tenants AS known LEFT JOIN rag_app.data_chunks AS chunk USING (tenant)
    WHERE tenant = %(tenant)s ORDER BY min(id) OVER (PARTITION BY parent_id), id
"""
_CHANGES: LiteralString = """
    WITH known AS (SELECT generation, settled FROM rag_app.tenants WHERE tenant = %(tenant)s),
    changed AS (
        SELECT doc_id FROM rag_app.documents WHERE tenant = %(tenant)s AND generation > %(since)s
        UNION SELECT doc_id FROM rag_app.deletions WHERE tenant = %(tenant)s AND generation > %(since)s
    )
    SELECT known.generation, known.settled, node_id, parent_id, changed.doc_id, source, tokens
    FROM known LEFT JOIN changed ON known.settled <= %(since)s LEFT JOIN rag_app.data_chunks AS chunk
        ON chunk.tenant = %(tenant)s AND chunk.doc_id = changed.doc_id
    ORDER BY min(id) OVER (PARTITION BY parent_id), id
"""


class ChunkTokens(NamedTuple):
    """A chunk as BM25 sees it; tokens are separated by spaces."""

    node_id: str
    parent_id: str
    doc_id: str
    source: str
    tokens: str


class TokenSnapshot(NamedTuple):
    """All chunks of a tenant at one generation, in the order of writing, those of a parent side by side."""

    generation: int
    chunks: Sequence[ChunkTokens]


class TokenChanges(NamedTuple):
    """What was written and deleted after an older generation.

    Attributes:
        generation: the tenant's generation now.
        chunks: the chunks of the documents written since, ordered as in a snapshot.
        doc_ids: the documents written or deleted since; what was known of them is void.
    """

    generation: int
    chunks: Sequence[ChunkTokens]
    doc_ids: frozenset[str]


class _Read(NamedTuple):
    """A node, and how much JSON it was made of."""

    node: TextNode
    json_size: int


class ChunkReader:
    """Reads chunks of one tenant at a time; every method may raise `DatabaseUnavailableError`.

    Chunks and parents that were read last are remembered until their tenant changes. If the database does not answer,
    those serve, and that others are missing is noted in the query's trace.

    Args:
        database: where they are.
        max_bytes: how much memory those that are remembered may take.
    """

    def __init__(self, database: Database, *, max_bytes: int = 100_000_000) -> None:
        self._database = database
        self._memory = NodeMemory(max_bytes)

    async def afound(self, query: RetrievalQuery, scores: Mapping[str, float]) -> list[NodeWithScore]:
        """Return the chunks of these ids with their scores, in order; one deleted meanwhile is left out."""
        nodes = await self._aget(query, "chunks", scores, self._achunks)
        return [
            NodeWithScore(node=nodes[node_id], score=score) for node_id, score in scores.items() if node_id in nodes
        ]

    async def aparents(self, query: RetrievalQuery, parent_ids: Collection[str]) -> dict[str, TextNode]:
        """Return the parents by id; their `start_char_idx` is their place in the document."""
        return await self._aget(query, "parents", parent_ids, self._aparents)

    async def _aget(
        self, query: RetrievalQuery, name: str, node_ids: Collection[str], read: Callable[..., Awaitable[list[_Read]]]
    ) -> dict[str, TextNode]:
        """Return nodes that are as new as the query's generation."""
        nodes = self._memory.get(query.tenant, node_ids, query.generation)
        missing = [node_id for node_id in node_ids if node_id not in nodes]
        metrics.cache_used(name, hits=len(nodes), misses=len(missing))
        if not missing:
            return nodes
        try:
            for node, size in await read(query.tenant, missing):
                self._memory.keep(query.tenant, node, query.generation, size)
                nodes[node.node_id] = node
            metrics.cache_holds("chunks", self._memory.nbytes)
        except DatabaseUnavailableError as error:
            if not nodes:
                raise
            query.trace.degrade("retrieval", name, error, "those in memory")
        return nodes

    async def _achunks(self, tenant: str, node_ids: Sequence[str]) -> list[_Read]:
        read = []
        for row in await self._database.afetch(tenant, _NODES, {"ids": node_ids}):
            node = TextNode.from_json(row.node)
            node.set_content(row.text)
            read.append(_Read(node, len(row.node)))
        return read

    async def _aparents(self, tenant: str, parent_ids: Sequence[str]) -> list[_Read]:
        rows = await self._database.afetch(tenant, _PARENTS, {"ids": parent_ids})
        return [_Read(TextNode(id_=row.parent_id, text=row.text, start_char_idx=row.start_char), 0) for row in rows]

    async def atokens(self, tenant: str) -> TokenSnapshot:
        """Return the tokens of all chunks of the tenant."""
        rows = await self._database.afetch(tenant, _TOKENS, {})
        return TokenSnapshot(rows[0].generation if rows else 0, [ChunkTokens(*row[1:]) for row in rows if row.node_id])

    async def achanges(self, tenant: str, since: int) -> TokenChanges | None:
        """Return what changed after generation `since`; None if that is too long ago to tell, and all is to be read."""
        rows = await self._database.afetch(tenant, _CHANGES, {"since": since})
        if not rows or rows[0].settled > since:
            return None
        return TokenChanges(
            rows[0].generation,
            [ChunkTokens(*row[2:]) for row in rows if row.node_id],
            frozenset(row.doc_id for row in rows if row.doc_id),
        )
