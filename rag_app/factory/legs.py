"""The legs of stage 2 that the settings name, and their fusion."""

from __future__ import annotations

from dataclasses import dataclass

from llama_index.core.base.base_retriever import BaseRetriever

from rag_app.background import BackgroundLoop
from rag_app.config import Settings
from rag_app.embeddings import Embedding
from rag_app.kinds import is_shipped, open_own
from rag_app.retrievers import BM25Indexes, BM25Leg, DenseLeg, HybridRetriever
from rag_app.retrievers.dense import DenseStore
from rag_app.retrievers.stores import MemoryStore
from rag_app.storage import ChunkReader, Database, TenantPGVectorStore, VectorReader


@dataclass(frozen=True)
class Parts:
    """What the shipped legs are made of."""

    database: Database
    vector_store: TenantPGVectorStore
    reader: ChunkReader
    embedding: Embedding
    bm25_indexes: BM25Indexes
    loop: BackgroundLoop


def fused(settings: Settings, parts: Parts) -> HybridRetriever:
    """Return the fusion of all legs.

    Raises:
        ConfigurationError: a leg of one's own can not be made.
    """
    options = settings.retrieval
    legs: dict[str, BaseRetriever] = {}
    weights: dict[str, float] = {}
    if options.dense != "none":
        legs["dense"], weights["dense"] = _dense(settings, parts), options.dense_weight
    if options.sparse != "none":
        name = options.sparse if is_shipped("sparse", options.sparse) else "sparse"
        legs[name], weights[name] = _sparse(settings, parts), options.sparse_weight
    for name, leg in options.legs.items():
        legs[name], weights[name] = open_own("leg", leg.kind, leg.options, BaseRetriever), leg.weight
    return HybridRetriever(
        legs,
        parts.loop,
        weights=weights,
        similarity_top_k=options.fusion_top_k,
        rrf_k=options.rrf_k,
        leg_timeout_s=options.leg_timeout_s,
    )


def _dense(settings: Settings, parts: Parts) -> BaseRetriever:
    kind = settings.retrieval.dense
    if not is_shipped("dense", kind):
        leg: BaseRetriever = open_own("dense", kind, {}, BaseRetriever)
        return leg
    top_k = settings.retrieval.dense_top_k
    return DenseLeg(_dense_store(settings, parts), parts.embedding.model, parts.loop, similarity_top_k=top_k)


def _dense_store(settings: Settings, parts: Parts) -> DenseStore:
    if settings.retrieval.dense == "memory":
        max_bytes = int(settings.retrieval.memory_store_mb * 1e6)
        return MemoryStore(VectorReader(parts.database), parts.reader, max_bytes=max_bytes)
    return parts.vector_store


def _sparse(settings: Settings, parts: Parts) -> BaseRetriever:
    kind = settings.retrieval.sparse
    if not is_shipped("sparse", kind):
        leg: BaseRetriever = open_own("sparse", kind, {}, BaseRetriever)
        return leg
    return BM25Leg(parts.bm25_indexes, parts.reader, parts.loop)
