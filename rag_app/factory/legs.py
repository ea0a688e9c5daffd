"""The legs of stage 2 that the settings name, and their fusion."""

from __future__ import annotations

from dataclasses import dataclass

from llama_index.core.base.base_retriever import BaseRetriever

from rag_app.background import BackgroundLoop
from rag_app.config import Settings
from rag_app.embeddings import Embedding
from rag_app.errors import ConfigurationError
from rag_app.kinds import is_shipped, open_own
from rag_app.llms import Write
from rag_app.retrievers import BM25Indexes, BM25Leg, DenseLeg, HybridRetriever, QueryExpansion
from rag_app.storage import ChunkReader, TenantPGVectorStore


@dataclass(frozen=True)
class Parts:
    """What the shipped legs are made of; `write` has the LLM answer a request, None if it is no language model."""

    vector_store: TenantPGVectorStore
    reader: ChunkReader
    embedding: Embedding
    bm25_indexes: BM25Indexes
    loop: BackgroundLoop
    write: Write | None


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
        expansion=_expansion(settings, parts),
    )


def _expansion(settings: Settings, parts: Parts) -> QueryExpansion | None:
    options = settings.retrieval.expansion
    if not options.enabled:
        return None
    if parts.write is None:
        raise ConfigurationError(
            "retrieval.expansion needs a language model, and llm.kind 'extractive' is none: take google_genai"
        )
    return QueryExpansion(parts.write, queries=options.queries, timeout_s=options.timeout_s)


def _dense(settings: Settings, parts: Parts) -> BaseRetriever:
    kind = settings.retrieval.dense
    if not is_shipped("dense", kind):
        leg: BaseRetriever = open_own("dense", kind, {}, BaseRetriever)
        return leg
    return DenseLeg(parts.vector_store, parts.embedding, parts.loop, similarity_top_k=settings.retrieval.dense_top_k)


def _sparse(settings: Settings, parts: Parts) -> BaseRetriever:
    kind = settings.retrieval.sparse
    if not is_shipped("sparse", kind):
        leg: BaseRetriever = open_own("sparse", kind, {}, BaseRetriever)
        return leg
    return BM25Leg(parts.bm25_indexes, parts.reader, parts.loop)
