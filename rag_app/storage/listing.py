"""The documents of a tenant, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from rag_app.storage.database import Database

# The page begins behind a document, not at a number: it costs the same wherever it is, and what is written or deleted
# meanwhile neither repeats nor hides others.
_PAGE: LiteralString = """
    SELECT doc_id, source, title, chunks, updated_at FROM rag_app.documents
    WHERE tenant = %(tenant)s AND (%(source)s::text IS NULL OR source = %(source)s)
        AND (%(after)s::text IS NULL OR doc_id > %(after)s)
    ORDER BY doc_id LIMIT %(limit)s
"""


@dataclass(frozen=True)
class StoredDocument:
    """What is told of a document in a list."""

    doc_id: str
    source: str
    title: str
    chunks: int
    updated_at: datetime


@dataclass(frozen=True)
class DocumentPage:
    """Some documents in the order of their ids.

    Attributes:
        documents: those of this page.
        next: what to name as `after` for those that follow; None at the end.
    """

    documents: tuple[StoredDocument, ...]
    next: str | None


async def alist_documents(
    database: Database, tenant: str, *, source: str | None, limit: int, after: str | None
) -> DocumentPage:
    """Return up to `limit` documents of `tenant`, of one source or of all, whose ids come behind `after`.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    rows = await database.afetch(tenant, _PAGE, {"source": source, "after": after, "limit": limit + 1})
    documents = tuple(StoredDocument(*row) for row in rows[:limit])
    return DocumentPage(documents, documents[-1].doc_id if len(rows) > limit else None)
