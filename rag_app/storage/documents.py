"""Writing documents: all rows of one in one transaction, or none."""

from __future__ import annotations

import json
from collections.abc import Iterable

from llama_index.core.vector_stores.utils import node_to_metadata_dict
from sqlalchemy import Connection, text

from rag_app.schema import ParsedDocument
from rag_app.storage.database import Database

_HASHES = text("SELECT doc_id, content_hash FROM rag_app.documents WHERE tenant = :tenant AND doc_id = ANY(:doc_ids)")
_UPSERT = text("""
    INSERT INTO rag_app.documents (tenant, doc_id, source, title, content_hash, metadata)
    VALUES (:tenant, :doc_id, :source, :title, :content_hash, CAST(:metadata AS jsonb))
    ON CONFLICT (tenant, doc_id) DO UPDATE SET source = excluded.source, title = excluded.title,
        content_hash = excluded.content_hash, metadata = excluded.metadata, updated_at = now()
""")
_CLEAR_CHUNKS = text("DELETE FROM rag_app.data_chunks WHERE tenant = :tenant AND doc_id = :doc_id")
_CLEAR_PARENTS = text("DELETE FROM rag_app.parents WHERE tenant = :tenant AND doc_id = :doc_id")
# Arrays, because COPY is not allowed where row-level security is in force.
_PARENTS = text("""
    INSERT INTO rag_app.parents (tenant, doc_id, parent_id, text, start_char)
    SELECT :tenant, :doc_id, * FROM unnest(CAST(:ids AS text[]), CAST(:texts AS text[]), CAST(:starts AS integer[]))
""")
_CHUNKS = text("""
    INSERT INTO rag_app.data_chunks (tenant, doc_id, source, node_id, parent_id, text, metadata_, tokens, embedding)
    SELECT :tenant, :doc_id, :source, node_id, parent_id, text, CAST(metadata AS jsonb), tokens,
        CAST(embedding AS halfvec)
    FROM unnest(CAST(:ids AS text[]), CAST(:parent_ids AS text[]), CAST(:texts AS text[]), CAST(:metadata AS text[]),
        CAST(:tokens AS text[]), CAST(:embeddings AS text[]))
        AS chunk (node_id, parent_id, text, metadata, tokens, embedding)
""")
_DELETE = text("DELETE FROM rag_app.documents WHERE tenant = :tenant AND doc_id = :doc_id")
_NEXT_GENERATION = text("""
    INSERT INTO rag_app.tenants AS known (tenant, generation) VALUES (:tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET generation = known.generation + 1
""")


class DocumentWriter:
    """Writes and deletes documents; every method may raise `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hashes(self, tenant: str, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the content hash of each of these documents that is stored."""
        with self._database.transaction(tenant) as connection:
            rows = connection.execute(_HASHES, {"tenant": tenant, "doc_ids": list(doc_ids)})
            return {doc_id: content_hash for doc_id, content_hash in rows}

    def write(self, tenant: str, document: ParsedDocument) -> None:
        """Store the document in place of what was stored under its id."""
        key = {"tenant": tenant, "doc_id": document.doc_id}
        with self._database.transaction(tenant) as connection:
            connection.execute(
                _UPSERT,
                {
                    **key,
                    "source": document.source,
                    "title": document.title,
                    "content_hash": document.content_hash,
                    "metadata": json.dumps(document.metadata, ensure_ascii=False),
                },
            )
            connection.execute(_CLEAR_CHUNKS, key)
            connection.execute(_CLEAR_PARENTS, key)
            self._insert_nodes(connection, key, document)
            connection.execute(_NEXT_GENERATION, {"tenant": tenant})

    @staticmethod
    def _insert_nodes(connection: Connection, key: dict[str, str], document: ParsedDocument) -> None:
        parents, children = document.parents, document.children
        connection.execute(
            _PARENTS,
            {
                **key,
                "ids": [parent.node_id for parent in parents],
                "texts": [parent.text for parent in parents],
                "starts": [parent.start_char_idx for parent in parents],
            },
        )
        connection.execute(
            _CHUNKS,
            {
                **key,
                "source": document.source,
                "ids": [child.node_id for child in children],
                "parent_ids": [child.parent_node.node_id if child.parent_node else child.node_id for child in children],
                "texts": [child.text for child in children],
                "metadata": [
                    json.dumps(node_to_metadata_dict(child, remove_text=True), ensure_ascii=False) for child in children
                ],
                "tokens": [" ".join(tokens) for tokens in document.tokens],
                "embeddings": [_vector_text(child.get_embedding()) for child in children],
            },
        )

    def delete(self, tenant: str, doc_id: str) -> bool:
        """Delete the document with its parents and chunks; False if there was none."""
        with self._database.transaction(tenant) as connection:
            deleted = connection.execute(_DELETE, {"tenant": tenant, "doc_id": doc_id}).rowcount > 0
            if deleted:
                connection.execute(_NEXT_GENERATION, {"tenant": tenant})
            return deleted


def _vector_text(values: list[float]) -> str:
    return f"[{','.join(f'{value:.5g}' for value in values)}]"
