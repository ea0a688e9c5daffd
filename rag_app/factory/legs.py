"""The legs of stage 2 that the settings name, and their fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from llama_index.core.base.base_retriever import BaseRetriever

from rag_app.background import BackgroundLoop
from rag_app.callbacks import bounded
from rag_app.config import Settings
from rag_app.embeddings import Embedding
from rag_app.errors import ConfigurationError
from rag_app.kinds import extra_of, is_shipped, open_own
from rag_app.llms import Write
from rag_app.retrievers import BM25Indexes, BM25Leg, DenseLeg, HybridRetriever, PostgresFtsLeg, QueryExpansion
from rag_app.retrievers.dense import DenseStore
from rag_app.retrievers.stores import BySizeStore, MemoryStore
from rag_app.storage import ChunkReader, Database, TenantPGVectorStore, TextSearch, VectorReader

if TYPE_CHECKING:
    from rag_app.retrievers.stores.qdrant import QdrantStore


@dataclass(frozen=True)
class Parts:
    """What the shipped legs are made of; `write` has the LLM answer a request, None if it is no language model."""

    database: Database
    vector_store: TenantPGVectorStore
    reader: ChunkReader
    embedding: Embedding
    bm25_indexes: BM25Indexes
    loop: BackgroundLoop
    write: Write | None


class Follower(Protocol):
    """An index outside PostgreSQL that follows it."""

    def refresh(self, tenant: str) -> None:
        """Bring what it holds of a tenant up to date, and wait."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


def fused(settings: Settings, parts: Parts) -> tuple[HybridRetriever, tuple[Follower, ...]]:
    """Return the fusion of all legs, and the indexes behind them that are to be kept up to date.

    Raises:
        ConfigurationError: a leg of one's own can not be made, or a package is missing.
        StorageError: an index that a leg needs can not be made.
    """
    options = settings.retrieval
    legs: dict[str, BaseRetriever] = {}
    weights: dict[str, float] = {}
    followers: tuple[Follower, ...] = ()
    if options.dense != "none":
        legs["dense"], followers = _dense(settings, parts)
        weights["dense"] = options.dense_weight
    if options.sparse != "none":
        name = options.sparse if is_shipped("sparse", options.sparse) else "sparse"
        legs[name], weights[name] = _sparse(settings, parts), options.sparse_weight
    for name, leg in options.legs.items():
        legs[name], weights[name] = open_own("leg", leg.kind, leg.options, BaseRetriever), leg.weight
    hybrid = HybridRetriever(
        {name: bounded(leg) for name, leg in legs.items()},
        parts.loop,
        weights=weights,
        similarity_top_k=options.fusion_top_k,
        rrf_k=options.rrf_k,
        leg_timeout_s=options.leg_timeout_s,
        expansion=_expansion(settings, parts),
    )
    return bounded(hybrid), followers


def _expansion(settings: Settings, parts: Parts) -> QueryExpansion | None:
    options = settings.retrieval.expansion
    if not options.enabled:
        return None
    if parts.write is None:
        raise ConfigurationError(
            "retrieval.expansion needs a language model, and llm.kind 'extractive' is none: take google_genai"
        )
    return QueryExpansion(parts.write, queries=options.queries, timeout_s=options.timeout_s)


def _dense(settings: Settings, parts: Parts) -> tuple[BaseRetriever, tuple[Follower, ...]]:
    kind = settings.retrieval.dense
    if not is_shipped("dense", kind):
        return open_own("dense", kind, {}, BaseRetriever), ()
    store: DenseStore = parts.vector_store
    followers: tuple[Follower, ...] = ()
    if kind in ("auto", "memory"):
        max_bytes = int(settings.retrieval.memory_store_mb * 1e6)
        store = memory = MemoryStore(VectorReader(parts.database), max_bytes=max_bytes)
        if kind == "auto":
            store = BySizeStore(memory, parts.vector_store, settings.retrieval.exact_limit)
    elif kind == "qdrant":
        store = qdrant = _qdrant(settings, parts)
        followers = (qdrant,)
    top_k = settings.retrieval.dense_top_k
    return DenseLeg(store, parts.reader, parts.embedding, parts.loop, similarity_top_k=top_k), followers


def _qdrant(settings: Settings, parts: Parts) -> QdrantStore:
    with extra_of("dense", "qdrant"):
        from rag_app.retrievers.stores.qdrant import QdrantOptions, QdrantStore
    options = settings.qdrant
    return QdrantStore(
        QdrantOptions(
            options.url,
            options.api_key.get_secret_value() if options.api_key is not None else None,
            str(options.path) if options.path is not None else None,
            options.collection,
        ),
        parts.database,
        embed_dim=parts.embedding.dim,
        fingerprint=parts.embedding.fingerprint,
        patience_s=settings.retrieval.leg_timeout_s / 2,
    )


def _sparse(settings: Settings, parts: Parts) -> BaseRetriever:
    kind = settings.retrieval.sparse
    if not is_shipped("sparse", kind):
        leg: BaseRetriever = open_own("sparse", kind, {}, BaseRetriever)
        return leg
    if kind == "postgres_fts":
        search = TextSearch(parts.database)
        search.prepare()
        return PostgresFtsLeg(search, parts.reader, parts.loop, similarity_top_k=settings.retrieval.sparse_top_k)
    return BM25Leg(parts.bm25_indexes, parts.reader, parts.loop)
