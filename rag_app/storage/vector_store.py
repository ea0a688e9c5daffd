"""PGVectorStore whose every query is bound to one tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NoReturn

from llama_index.core.vector_stores.types import MetadataFilters
from llama_index.vector_stores.postgres import PGVectorStore
from llama_index.vector_stores.postgres.base import DBEmbeddingRow
from pydantic import PrivateAttr
from sqlalchemy.ext.asyncio import create_async_engine

from rag_app.errors import InvalidInputError
from rag_app.schema import RetrievalQuery, checked_name
from rag_app.storage.database import SCHEMA, Database, Fetch
from rag_app.storage.halfvec import as_halfvec

WITHIN: LiteralString = """
    tenant = %(tenant)s AND (%(sources)s::text[] IS NULL OR source = ANY(%(sources)s))
        AND (%(doc_ids)s::text[] IS NULL OR doc_id = ANY(%(doc_ids)s))
"""
# No index is on the bare column, so every chunk is compared. A chunk without a single word has a vector of zeros, which
# lies nowhere: its distance is no number, which PostgreSQL puts last and an HNSW index leaves out.
_EXACT: LiteralString = """
    SELECT node_id, distance FROM (
        SELECT node_id, embedding <=> %(embedding)s::halfvec AS distance
        FROM rag_app.data_chunks WHERE {within} ORDER BY distance, node_id LIMIT %(limit)s
    ) AS nearest WHERE distance < 'NaN' ORDER BY distance, node_id
"""
# The expression of the tenants' own indexes; where there is none (yet), every chunk is compared.
_INDEXED: LiteralString = """
    SELECT node_id, distance FROM (
        SELECT node_id, embedding <=> %(embedding)s::halfvec AS distance
        FROM rag_app.data_chunks WHERE {within}
        ORDER BY embedding::halfvec({embed_dim}) <=> %(embedding)s::halfvec LIMIT %(limit)s
    ) AS nearest WHERE distance < 'NaN' ORDER BY distance, node_id
"""
_WITH_TEXTS: LiteralString = """
    SELECT node_id, text, metadata_ ->> '_node_content' AS node, distance
    FROM ({nearest}) AS found JOIN rag_app.data_chunks USING (node_id)
    WHERE tenant = %(tenant)s ORDER BY distance, node_id
"""
# A filter may pass few of the nearest; the search goes on until enough do, at worst through the whole graph. And the
# planner, whose statistics may be of before the tenant came, is not to compare all chunks instead.
_SEARCH_ON = {"hnsw.iterative_scan": "relaxed_order", "hnsw.max_scan_tuples": str(2**31 - 1), "enable_sort": "off"}

Search = tuple[str, LiteralString, Mapping[str, Any], Mapping[str, str]]
"""Whose query it is, its SQL, its parameters and PostgreSQL's settings for it."""


class TenantPGVectorStore(PGVectorStore):
    """The child chunks as a LlamaIndex vector store: `aquery(query, tenant=..., doc_ids=...)`.

    Every query runs under row-level security as its tenant, with the tenant, sources and documents as bound
    parameters. With `ef_search` the tenant's HNSW index is searched, keeping so many nodes (1 to 1000), until enough
    hits pass the filters; without it every chunk is compared.

    LlamaIndex's own metadata filters are refused: PGVectorStore writes their keys and values into the SQL text. So is
    all else that PGVectorStore can do, for it would do so to every tenant; `DocumentWriter` writes.
    """

    _database: Database = PrivateAttr()
    _exact: LiteralString = PrivateAttr()
    _indexed: LiteralString = PrivateAttr()

    def __init__(self, database: Database, embed_dim: int) -> None:
        super().__init__(
            table_name="chunks",
            schema_name=SCHEMA,
            embed_dim=embed_dim,
            use_halfvec=True,
            use_jsonb=True,
            cache_ok=True,
            perform_setup=False,
            engine=database.engine,
            async_engine=create_async_engine(database.url),  # it asks for one, which never connects
        )
        self._database = database
        self._exact = _EXACT.format(within=WITHIN)
        self._indexed = _INDEXED.format(within=WITHIN, embed_dim=int(embed_dim))

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "TenantPGVectorStore"

    def _connect(self) -> None:
        refused: Any = _refused
        self._session = self._async_session = refused  # whatever opens one knows nothing of tenants

    def _build_sparse_query(self, *arguments: Any, **options: Any) -> NoReturn:
        _refused()

    async def anearest(self, query: RetrievalQuery, embedding: Sequence[float], top_k: int) -> dict[str, float]:
        """Return the cosine similarities of the chunks nearest to a vector by id, of those that the query may find.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        found = await self._database.afetch(
            *self._search(
                embedding,
                top_k,
                tenant=query.tenant,
                sources=query.sources,
                doc_ids=query.doc_ids,
                ef_search=query.ef_search,
            )
        )
        return {row.node_id: 1.0 - row.distance for row in found}

    def distances(
        self, embedding: Sequence[float], limit: int, *, tenant: str, ef_search: int | None, fetch: Fetch
    ) -> list[float]:
        """Return how far the nearest chunks are, as cosine distances from 0 to 2, the nearest first.

        `fetch` is that of the database, or of a snapshot of it.
        """
        found = fetch(*self._search(embedding, limit, tenant=tenant, ef_search=ef_search))
        return [row.distance for row in found]

    def _query_with_score(
        self,
        embedding: list[float] | None,
        limit: int = 10,
        metadata_filters: MetadataFilters | None = None,
        **kwargs: Any,
    ) -> list[DBEmbeddingRow]:
        return _rows(self._database.fetch(*self._search_texts(embedding, limit, metadata_filters, **kwargs)))

    async def _aquery_with_score(
        self,
        embedding: list[float] | None,
        limit: int = 10,
        metadata_filters: MetadataFilters | None = None,
        **kwargs: Any,
    ) -> list[DBEmbeddingRow]:
        return _rows(await self._database.afetch(*self._search_texts(embedding, limit, metadata_filters, **kwargs)))

    def _search_texts(
        self,
        embedding: list[float] | None,
        limit: int,
        metadata_filters: MetadataFilters | None,
        **kwargs: Any,
    ) -> Search:
        """Return a search that gives the chunks too.

        Raises:
            InvalidInputError: no tenant is named, or LlamaIndex's filters are used.
        """
        if metadata_filters is not None:
            raise InvalidInputError("metadata filters are not supported; filter by tenant=, sources= and doc_ids=")
        tenant, nearest, parameters, settings = self._search(embedding, limit, **kwargs)
        return tenant, _WITH_TEXTS.format(nearest=nearest), parameters, settings

    def _search(
        self,
        embedding: Sequence[float] | None,
        limit: int,
        *,
        tenant: str | None = None,
        sources: Sequence[str] | None = None,
        doc_ids: frozenset[str] | None = None,
        ef_search: int | None = None,
    ) -> Search:
        """Return the search for the ids of the nearest chunks and their distances.

        Raises:
            InvalidInputError: no tenant is named.
        """
        parameters = {
            "embedding": as_halfvec(embedding or ()),
            "limit": limit,
            "sources": None if sources is None else list(sources),
            "doc_ids": None if doc_ids is None else list(doc_ids),
        }
        if ef_search is None:
            return checked_name("tenant", tenant), self._exact, parameters, {}
        settings = {"hnsw.ef_search": str(ef_search), **_SEARCH_ON}
        return checked_name("tenant", tenant), self._indexed, parameters, settings


def _refused() -> NoReturn:
    raise InvalidInputError("TenantPGVectorStore answers query and aquery in the default mode alone")


def _rows(found: Sequence[Any]) -> list[DBEmbeddingRow]:
    return [DBEmbeddingRow(row.node_id, row.text, {"_node_content": row.node}, {}, 1.0 - row.distance) for row in found]
