"""PostgreSQL with pgvector: the one source of truth."""

from rag_app.storage.catalog import TenantCatalog
from rag_app.storage.chunks import ChunkReader
from rag_app.storage.database import Database
from rag_app.storage.dense_index import DenseIndexes, DenseIndexStatus
from rag_app.storage.documents import DocumentWriter
from rag_app.storage.embedded import start_embedded
from rag_app.storage.key_store import ApiKey, KeyStore
from rag_app.storage.listing import DocumentPage, StoredDocument, alist_documents
from rag_app.storage.shadow_store import Comparison, ShadowStore
from rag_app.storage.statistics import SourceStatistics, TenantStatistics, tenant_statistics
from rag_app.storage.vector_store import TenantPGVectorStore

__all__ = [
    "ApiKey",
    "ChunkReader",
    "Comparison",
    "Database",
    "DenseIndexStatus",
    "DenseIndexes",
    "DocumentPage",
    "DocumentWriter",
    "KeyStore",
    "ShadowStore",
    "SourceStatistics",
    "StoredDocument",
    "TenantCatalog",
    "TenantPGVectorStore",
    "TenantStatistics",
    "alist_documents",
    "start_embedded",
    "tenant_statistics",
]
