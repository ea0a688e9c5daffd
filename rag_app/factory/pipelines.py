"""The pipelines, of the parts that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

from rag_app.background import BackgroundLoop
from rag_app.callbacks import bounded
from rag_app.config import Settings
from rag_app.context_writer import ContextWriter
from rag_app.embeddings import Embedding
from rag_app.factory.conversation import ConfiguredLLM, quick_writer
from rag_app.factory.embedding import opened_embedding
from rag_app.factory.legs import Follower, Parts, fused
from rag_app.factory.rerankers import rerankers_of
from rag_app.flags import FlagService
from rag_app.gemini import render_chunk, render_context
from rag_app.ingestion import IngestionPipeline
from rag_app.node_parsers import FaqNodeParser, ParentChildNodeParser, RecordNodeParser
from rag_app.persian import Lexicons, PersianAnalyzer
from rag_app.pipeline import RetrievalPipeline
from rag_app.postprocessors import CrossEncoderRerank, Deduplication, ParentExpansion, TokenBudgetPostprocessor
from rag_app.query_analysis import QueryAnalyzer, QueryRouter, read_intents
from rag_app.retrievers import BM25Indexes, DenseLeg
from rag_app.schema import TokenBudget
from rag_app.serving import RetrievalService
from rag_app.simple_pipeline import SimplePipeline
from rag_app.storage import (
    ChunkReader,
    Database,
    DenseIndexes,
    DocumentWriter,
    ShadowStore,
    TenantCatalog,
    TenantPGVectorStore,
)
from rag_app.tokens import Counters, open_counters


@dataclass(frozen=True)
class Components:
    """What an application is made of."""

    embedding: Embedding
    writer: DocumentWriter
    ingestion: IngestionPipeline
    dense_indexes: DenseIndexes
    bm25_indexes: BM25Indexes
    retrieval: RetrievalPipeline
    service: RetrievalService
    counters: Counters
    followers: tuple[Follower, ...]


def build(
    settings: Settings, database: Database, loop: BackgroundLoop, flags: FlagService, llm: ConfiguredLLM
) -> Components:
    """Build the pipelines on the database, and what serves requests by them.

    `llm` writes further wordings of questions where the settings ask for that.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        IndexMismatchError: the stored index was built with another analyser or embedding.
        ConfigurationError: the intents, the lexicon, the token counter or a kind of a component can not be used.
    """
    analyzer = PersianAnalyzer()
    embedding = opened_embedding(settings)
    bounded(embedding.model)
    index_settings = {"analyzer": analyzer.fingerprint, "embedding": embedding.fingerprint}
    catalog = TenantCatalog(database, exact_limit=settings.retrieval.exact_limit)
    catalog.verify_index(index_settings)
    writer = DocumentWriter(database, index_settings)
    ingestion = _ingestion(settings, writer, catalog, embedding, analyzer, index_settings)
    vector_store = TenantPGVectorStore(database, embedding.dim)
    dense_indexes = DenseIndexes(
        database,
        vector_store,
        embedding.model.get_query_embedding,
        exact_limit=settings.retrieval.exact_limit,
        memory_mb=settings.database.index_memory_mb,
    )
    reader = ChunkReader(database, max_bytes=int(settings.retrieval.chunk_cache_mb * 1e6))
    bm25_indexes = BM25Indexes(
        reader,
        Lexicons(settings.query_analysis.lexicon),
        similarity_top_k=settings.retrieval.sparse_top_k,
        max_bytes=int(settings.retrieval.bm25_cache_mb * 1e6),
    )
    counters = _counters(settings)
    write = quick_writer(settings, llm) if settings.retrieval.expansion.enabled else None
    parts = Parts(database, vector_store, reader, embedding, bm25_indexes, loop, write)
    production, simple, followers = _pipelines(settings, parts, catalog, counters)
    service = _service(settings, production, simple, flags, ShadowStore(database))
    return Components(
        embedding, writer, ingestion, dense_indexes, bm25_indexes, production, service, counters, followers
    )


def _ingestion(
    settings: Settings,
    writer: DocumentWriter,
    catalog: TenantCatalog,
    embedding: Embedding,
    analyzer: PersianAnalyzer,
    index_settings: dict[str, str],
) -> IngestionPipeline:
    sizes = {"child_tokens": settings.ingestion.child_tokens, "parent_tokens": settings.ingestion.parent_tokens}
    record_parser = bounded(RecordNodeParser(**sizes))
    return IngestionPipeline(
        writer=writer,
        catalog=catalog,
        parser=bounded(ParentChildNodeParser(**sizes)),
        kind_parsers={"faq": bounded(FaqNodeParser(**sizes)), "product": record_parser, "record": record_parser},
        embedding=embedding,
        analyzer=analyzer,
        index_settings=index_settings,
        batch_size=settings.ingestion.batch_size,
        max_file_mb=settings.ingestion.max_file_mb,
    )


def _pipelines(
    settings: Settings, parts: Parts, catalog: TenantCatalog, counters: Counters
) -> tuple[RetrievalPipeline, SimplePipeline, tuple[Follower, ...]]:
    """Return the new pipeline, the old one, and what follows the documents for the new one's legs."""
    writer = ContextWriter(render_context, counters.counter, counters.final_counter)
    budget = TokenBudgetPostprocessor(
        counters.counter,
        render_chunk,
        top_n=settings.rerank.top_k,
        budget=TokenBudget(settings.context.primary_budget, settings.context.secondary_budget),
    )
    hybrid, followers = fused(settings, parts)
    production = RetrievalPipeline(
        analyzer=QueryAnalyzer(_router(settings)),
        catalog=catalog,
        read=parts.bm25_indexes.aread,
        retriever=hybrid,
        rerankers={name: bounded(reranker) for name, reranker in rerankers_of(settings).items()},
        context=[
            Deduplication(threshold=settings.context.duplicate_threshold),
            ParentExpansion(parts.reader, parts.loop, top_n=settings.rerank.top_k),
            budget,
        ],
        writer=writer,
    )
    dense = DenseLeg(
        parts.vector_store, parts.reader, parts.embedding, parts.loop, similarity_top_k=settings.rerank.top_k
    )
    simple = SimplePipeline(catalog=catalog, retriever=bounded(dense), budget=budget, writer=writer)
    return production, simple, followers


def _service(
    settings: Settings,
    production: RetrievalPipeline,
    simple: SimplePipeline,
    flags: FlagService,
    shadow_store: ShadowStore,
) -> RetrievalService:
    cross_encoder = production.rerankers.get("cross_encoder")
    return RetrievalService(
        production=production,
        simple=simple,
        flags=flags,
        use_model=cross_encoder.use_model if isinstance(cross_encoder, CrossEncoderRerank) else None,
        model=settings.rerank.model,
        shadow_store=shadow_store,
        shadow_max_in_flight=settings.shadow.max_in_flight,
        deadline_s=settings.deadline_s,
        log_query_text=settings.logs.query_text,
    )


def _counters(settings: Settings) -> Counters:
    secret = settings.llm.api_key
    return open_counters(
        settings.context.token_counter,
        settings.context.tokenizer_file,
        model=settings.llm.model,
        api_key=secret.get_secret_value() if secret is not None else None,
        api_base=settings.llm.api_base,
    )


def _router(settings: Settings) -> QueryRouter:
    file = settings.query_analysis.intents
    return QueryRouter() if file is None else QueryRouter(read_intents(file), origin=f"the intents file {file}")
