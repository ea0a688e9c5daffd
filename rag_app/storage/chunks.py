"""Reading what retrieval needs: chunks by id, parents, and the tokens that BM25 indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node
from sqlalchemy import text

from rag_app.storage.database import Database

_NODES = text("SELECT text, metadata_ FROM rag_app.data_chunks WHERE tenant = :tenant AND node_id = ANY(:ids)")
_PARENTS = text(
    "SELECT parent_id, text, start_char FROM rag_app.parents WHERE tenant = :tenant AND parent_id = ANY(:ids)"
)
# Documents that are written at the same time take turns with the ids.
_TOKENS = text("""
    SELECT node_id, parent_id, source, tokens FROM rag_app.data_chunks WHERE tenant = :tenant
    ORDER BY min(id) OVER (PARTITION BY parent_id), id
""")


class ChunkTokens(NamedTuple):
    """A chunk as BM25 sees it; tokens are separated by spaces."""

    node_id: str
    parent_id: str
    source: str
    tokens: str


class ChunkReader:
    """Reads chunks of one tenant at a time; every method may raise `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def anodes(self, tenant: str, node_ids: Sequence[str]) -> dict[str, BaseNode]:
        """Return the chunks by id; a chunk deleted meanwhile is left out."""
        nodes = [_node(row) for row in await self._rows(_NODES, tenant, ids=list(node_ids))]
        return {node.node_id: node for node in nodes}

    async def aparents(self, tenant: str, parent_ids: Sequence[str]) -> dict[str, TextNode]:
        """Return the parents by id; their `start_char_idx` is their place in the document."""
        rows = await self._rows(_PARENTS, tenant, ids=list(parent_ids))
        return {
            row.parent_id: TextNode(id_=row.parent_id, text=row.text, start_char_idx=row.start_char) for row in rows
        }

    async def atokens(self, tenant: str) -> list[ChunkTokens]:
        """Return the tokens of the tenant's chunks in the order of writing, those of a parent side by side."""
        return [ChunkTokens(*row) for row in await self._rows(_TOKENS, tenant)]

    async def _rows(self, statement: Any, tenant: str, **parameters: Any) -> Sequence[Any]:
        async with self._database.atransaction(tenant) as connection:
            return (await connection.execute(statement, {"tenant": tenant, **parameters})).all()


def _node(row: Any) -> BaseNode:
    node = metadata_dict_to_node(row.metadata_)
    node.set_content(row.text)
    return node
