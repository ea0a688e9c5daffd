"""The sparse leg: BM25 over the tokens that ingestion stored, one index and vocabulary for each tenant."""

from rag_app.retrievers.bm25.cache import BM25Indexes
from rag_app.retrievers.bm25.index import TenantBM25Retriever
from rag_app.retrievers.bm25.leg import BM25Leg

__all__ = ["BM25Indexes", "BM25Leg", "TenantBM25Retriever"]
