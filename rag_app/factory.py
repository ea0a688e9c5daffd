"""Building the pipelines from the settings; the only reader of the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from llama_index.core.postprocessor.types import BaseNodePostprocessor

from rag_app.background import BackgroundLoop
from rag_app.config import Settings
from rag_app.cross_encoder import EngineOptions
from rag_app.embeddings import HashingEmbedding
from rag_app.gemini import render_chunk, render_context
from rag_app.ingestion import IngestionPipeline
from rag_app.node_parsers import FaqNodeParser, ParentChildNodeParser, RecordNodeParser
from rag_app.persian import Lexicons, PersianAnalyzer
from rag_app.pipeline import RetrievalPipeline
from rag_app.postprocessors import (
    CrossEncoderRerank,
    Deduplication,
    LexicalRerank,
    ParentExpansion,
    TokenBudgetPostprocessor,
)
from rag_app.query_analysis import QueryAnalyzer, QueryRouter, read_intents
from rag_app.retrievers import BM25Indexes, BM25Leg, DenseLeg, HybridRetriever
from rag_app.schema import TokenBudget
from rag_app.storage import (
    ChunkReader,
    Database,
    DocumentWriter,
    TenantCatalog,
    TenantPGVectorStore,
    schema_version,
    start_embedded,
)
from rag_app.tokens import EstimatedTokenCounter


def open_database(settings: Settings) -> Database:
    """Return the configured database, starting the embedded one if none is configured.

    Raises:
        ConfigurationError: the URL is no PostgreSQL URL.
        EmbeddedDatabaseError: the embedded server does not start.
    """
    secret = settings.database.url
    url = secret.get_secret_value() if secret is not None else start_embedded(settings.data_dir)
    return Database(url, pool_size=settings.database.pool_size)


@dataclass(frozen=True)
class Components:
    """What an application is made of."""

    writer: DocumentWriter
    ingestion: IngestionPipeline
    retrieval: RetrievalPipeline


def build(settings: Settings, database: Database, loop: BackgroundLoop) -> Components:
    """Build both pipelines on the database.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        SchemaVersionError: its schema is not this package's, and is newer or `database.auto_upgrade` is off.
        IndexMismatchError: the stored index was built with another analyser or embedding.
        ConfigurationError: the intents or the lexicon can not be used.
    """
    if settings.database.auto_upgrade:
        schema_version.upgrade(database)
    else:
        schema_version.require_latest(database)
    analyzer = PersianAnalyzer()
    embed_model = HashingEmbedding(embed_dim=settings.ingestion.embed_dim)
    embed_model.get_query_embedding("سلام")  # imports and word tables load now, not within the first request's deadline
    index_settings = {"analyzer": analyzer.fingerprint, "embedding": embed_model.fingerprint}
    catalog = TenantCatalog(database)
    catalog.verify_index(index_settings)
    writer = DocumentWriter(database)
    sizes = {"child_tokens": settings.ingestion.child_tokens, "parent_tokens": settings.ingestion.parent_tokens}
    record_parser = RecordNodeParser(**sizes)
    ingestion = IngestionPipeline(
        writer=writer,
        catalog=catalog,
        parser=ParentChildNodeParser(**sizes),
        kind_parsers={"faq": FaqNodeParser(**sizes), "product": record_parser, "record": record_parser},
        embed_model=embed_model,
        analyzer=analyzer,
        index_settings=index_settings,
        batch_size=settings.ingestion.batch_size,
        max_file_mb=settings.ingestion.max_file_mb,
    )
    reader = ChunkReader(database)
    counter = EstimatedTokenCounter()
    indexes = BM25Indexes(
        reader,
        Lexicons(settings.query_analysis.lexicon),
        similarity_top_k=settings.retrieval.sparse_top_k,
        max_bytes=int(settings.retrieval.bm25_cache_mb * 1e6),
    )
    retrieval = RetrievalPipeline(
        analyzer=QueryAnalyzer(_router(settings)),
        catalog=catalog,
        read=indexes.aread,
        retriever=_retriever(settings, database, reader, embed_model, indexes, loop),
        rerankers=_rerankers(settings),
        context=[
            Deduplication(threshold=settings.context.duplicate_threshold),
            ParentExpansion(reader, loop),
            TokenBudgetPostprocessor(
                counter,
                render_chunk,
                top_n=settings.rerank.top_k,
                budget=TokenBudget(settings.context.primary_budget, settings.context.secondary_budget),
            ),
        ],
        render=render_context,
        counter=counter,
    )
    return Components(writer, ingestion, retrieval)


def _router(settings: Settings) -> QueryRouter:
    file = settings.query_analysis.intents
    return QueryRouter() if file is None else QueryRouter(read_intents(file), origin=f"the intents file {file}")


def _retriever(
    settings: Settings,
    database: Database,
    reader: ChunkReader,
    embed_model: HashingEmbedding,
    indexes: BM25Indexes,
    loop: BackgroundLoop,
) -> HybridRetriever:
    options = settings.retrieval
    vector_store = TenantPGVectorStore(database, settings.ingestion.embed_dim)
    return HybridRetriever(
        {
            "dense": DenseLeg(vector_store, embed_model, loop, similarity_top_k=options.dense_top_k),
            "bm25": BM25Leg(indexes, reader, loop),
        },
        loop,
        weights={"dense": options.dense_weight, "bm25": options.sparse_weight},
        similarity_top_k=options.fusion_top_k,
        rrf_k=options.rrf_k,
        leg_timeout_s=options.leg_timeout_s,
    )


def _rerankers(settings: Settings) -> dict[str, BaseNodePostprocessor]:
    """Return the configured reranker, then those that serve when it fails."""
    top_n = settings.retrieval.fusion_top_k
    options = settings.rerank
    make: dict[str, Callable[..., BaseNodePostprocessor]] = {
        "cross_encoder": partial(
            CrossEncoderRerank,
            options.model,
            precision=options.precision,
            device=options.device,
            max_length=options.max_length,
            options=EngineOptions(options.load_timeout_s, options.retry_after_s, options.cache_size),
        ),
        "lexical": LexicalRerank,
    }
    order = {"cross_encoder": ("cross_encoder", "lexical"), "lexical": ("lexical",), "none": ()}[options.kind]
    return {name: make[name](top_n=top_n) for name in order}
