"""Stage 2, retrieval: a dense and a sparse leg, fused by reciprocal rank."""

from rag_app.retrievers.bm25 import BM25Indexes, BM25Leg
from rag_app.retrievers.dense import DenseLeg
from rag_app.retrievers.expansion import QueryExpansion
from rag_app.retrievers.hybrid import EveryLegFailedError, HybridRetriever
from rag_app.retrievers.postgres_fts import PostgresFtsLeg
from rag_app.retrievers.searching import ask

__all__ = [
    "BM25Indexes",
    "BM25Leg",
    "DenseLeg",
    "EveryLegFailedError",
    "HybridRetriever",
    "PostgresFtsLeg",
    "QueryExpansion",
    "ask",
]
