"""PGVectorStore whose every query is bound to one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from llama_index.core.vector_stores.types import MetadataFilters
from llama_index.vector_stores.postgres import PGVectorStore
from llama_index.vector_stores.postgres.base import DBEmbeddingRow
from pydantic import PrivateAttr
from sqlalchemy import Select, column

from rag_app.errors import InvalidInputError
from rag_app.schema import checked_name
from rag_app.storage.database import SCHEMA, Database


def _within_tenant(
    statement: Select[Any], table: Any, /, tenant: str = "", sources: Sequence[str] | None = None
) -> Select[Any]:
    statement = statement.where(column("tenant") == tenant).order_by(table.node_id)
    return statement if sources is None else statement.where(column("source").in_(sources))


class TenantPGVectorStore(PGVectorStore):
    """The child chunks as a LlamaIndex vector store; `aquery(query, tenant=..., sources=...)`.

    Every query runs under row-level security as its tenant, with the tenant and sources as bound parameters.
    LlamaIndex's own metadata filters are refused: PGVectorStore writes their keys and values into the SQL text. So is
    all else that PGVectorStore can do, for it would do so to every tenant; `DocumentWriter` writes.
    """

    _database: Database = PrivateAttr()

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
            async_engine=database.async_engine,
            customize_query_fn=_within_tenant,
        )
        self._database = database

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "TenantPGVectorStore"

    def _connect(self) -> None:
        refused: Any = _refused
        self._session = self._async_session = refused  # whatever opens one knows nothing of tenants

    def _build_query(
        self,
        embedding: list[float] | None,
        limit: int = 10,
        metadata_filters: MetadataFilters | None = None,
        **kwargs: Any,
    ) -> Any:
        if metadata_filters is not None:
            raise InvalidInputError("metadata filters are not supported; filter by tenant= and sources=")
        return super()._build_query(embedding, limit, **kwargs)

    def _build_sparse_query(self, *arguments: Any, **options: Any) -> NoReturn:
        _refused()

    def _query_with_score(
        self,
        embedding: list[float] | None,
        limit: int = 10,
        metadata_filters: MetadataFilters | None = None,
        **kwargs: Any,
    ) -> list[DBEmbeddingRow]:
        statement = self._build_query(embedding, limit, metadata_filters, **kwargs)
        with self._database.transaction(_tenant(kwargs)) as connection:
            return [_row(item) for item in connection.execute(statement)]

    async def _aquery_with_score(
        self,
        embedding: list[float] | None,
        limit: int = 10,
        metadata_filters: MetadataFilters | None = None,
        **kwargs: Any,
    ) -> list[DBEmbeddingRow]:
        statement = self._build_query(embedding, limit, metadata_filters, **kwargs)
        async with self._database.atransaction(_tenant(kwargs)) as connection:
            return [_row(item) for item in await connection.execute(statement)]


def _tenant(arguments: dict[str, Any]) -> str:
    return checked_name("tenant", arguments.get("tenant"))


def _refused() -> NoReturn:
    raise InvalidInputError("TenantPGVectorStore answers query and aquery in the default mode alone")


def _row(item: Any) -> DBEmbeddingRow:
    return DBEmbeddingRow(item.node_id, item.text, item.metadata_, {}, 1.0 - item.distance)
