"""Building the pipelines from the settings; the only reader of the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from llama_index.core.llms import LLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor

from rag_app.background import BackgroundLoop
from rag_app.chat import ChatService, FollowUps
from rag_app.config import Settings
from rag_app.context_writer import ContextWriter
from rag_app.cross_encoder import EngineOptions
from rag_app.embeddings import HashingEmbedding
from rag_app.errors import ConfigurationError
from rag_app.flags import FlagService, FlagStore, MemoryFlagStore, PostgresFlagStore, RedisFlagStore
from rag_app.flags.definitions import Value
from rag_app.gemini import render_chunk, render_context
from rag_app.ingestion import IngestionPipeline
from rag_app.llms import LLMOptions, astream_text, open_llm
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
from rag_app.request import Requests
from rag_app.retrievers import BM25Indexes, BM25Leg, DenseLeg, HybridRetriever
from rag_app.schema import TokenBudget, TokenCounter
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
    schema_version,
    start_embedded,
)
from rag_app.tokens import Counters, open_counters

_REWRITE_S = 3.0  # what an LLM may take to make a question stand alone
_NO_LIMIT = 1_000_000  # rerankers order what fusion gives them, however many a flag asks for


def open_database(settings: Settings) -> Database:
    """Return the configured database, starting the embedded one if none is configured.

    Raises:
        ConfigurationError: the URL is no PostgreSQL URL.
        EmbeddedDatabaseError: the embedded server does not start.
    """
    secret = settings.database.url
    url = secret.get_secret_value() if secret is not None else start_embedded(settings.data_dir)
    return Database(url, pool_size=settings.database.pool_size)


def prepare_schema(settings: Settings, database: Database) -> None:
    """Upgrade the schema if the settings say so, else check it.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        ServerVersionError: its PostgreSQL or pgvector is too old, or it has no pgvector.
        SchemaVersionError: its schema is not this package's, and is newer or `database.auto_upgrade` is off.
    """
    if settings.database.auto_upgrade:
        schema_version.upgrade(database)
    else:
        schema_version.require_latest(database)


def open_flags(settings: Settings, database: Database) -> FlagService:
    """Return the runtime flags; one that is not set is as the settings say.

    Raises:
        ConfigurationError: the backend is Redis, and its URL or its package is missing.
    """
    configured: dict[str, Value] = {
        "rerank_model": settings.rerank.model,
        "dense_top_k": settings.retrieval.dense_top_k,
        "sparse_top_k": settings.retrieval.sparse_top_k,
        "fusion_top_k": settings.retrieval.fusion_top_k,
        "rerank_top_k": settings.rerank.top_k,
    }
    return FlagService(_flag_store(settings, database), defaults=configured, refresh_s=settings.flags.refresh_s)


def _flag_store(settings: Settings, database: Database) -> FlagStore:
    if settings.flags.backend == "postgres":
        return PostgresFlagStore(database)
    if settings.flags.backend == "memory":
        return MemoryFlagStore()
    if settings.flags.redis_url is None:
        raise ConfigurationError("flags.backend is redis: set flags.redis_url too, such as redis://localhost:6379/0")
    return RedisFlagStore(settings.flags.redis_url.get_secret_value())


@dataclass(frozen=True)
class Components:
    """What an application is made of."""

    writer: DocumentWriter
    ingestion: IngestionPipeline
    dense_indexes: DenseIndexes
    bm25_indexes: BM25Indexes
    retrieval: RetrievalPipeline
    service: RetrievalService
    counters: Counters


def build(settings: Settings, database: Database, loop: BackgroundLoop, flags: FlagService) -> Components:
    """Build the pipelines on the database, and what serves requests by them.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        IndexMismatchError: the stored index was built with another analyser or embedding.
        ConfigurationError: the intents, the lexicon or the token counter can not be used.
    """
    analyzer = PersianAnalyzer()
    embed_model = HashingEmbedding(embed_dim=settings.ingestion.embed_dim)
    embed_model.get_query_embedding("سلام")  # imports and word tables load now, not within the first request's deadline
    index_settings = {"analyzer": analyzer.fingerprint, "embedding": embed_model.fingerprint}
    catalog = TenantCatalog(database, exact_limit=settings.retrieval.exact_limit)
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
    counters = _counters(settings)
    writer_of_context = ContextWriter(render_context, counters.counter, counters.final_counter)
    budget = TokenBudgetPostprocessor(
        counters.counter,
        render_chunk,
        top_n=settings.rerank.top_k,
        budget=TokenBudget(settings.context.primary_budget, settings.context.secondary_budget),
    )
    vector_store = TenantPGVectorStore(database, settings.ingestion.embed_dim)
    dense_indexes = DenseIndexes(
        database,
        vector_store,
        embed_model.get_query_embedding,
        exact_limit=settings.retrieval.exact_limit,
        memory_mb=settings.database.index_memory_mb,
    )
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
        retriever=_retriever(settings, vector_store, reader, embed_model, indexes, loop),
        rerankers=_rerankers(settings),
        context=[
            Deduplication(threshold=settings.context.duplicate_threshold),
            ParentExpansion(reader, loop),
            budget,
        ],
        writer=writer_of_context,
    )
    simple = SimplePipeline(
        catalog=catalog,
        retriever=DenseLeg(vector_store, embed_model, loop, similarity_top_k=settings.rerank.top_k),
        budget=budget,
        writer=writer_of_context,
    )
    cross_encoder = retrieval.rerankers.get("cross_encoder")
    service = RetrievalService(
        production=retrieval,
        simple=simple,
        flags=flags,
        use_model=cross_encoder.use_model if isinstance(cross_encoder, CrossEncoderRerank) else None,
        model=settings.rerank.model,
        shadow_store=ShadowStore(database),
        shadow_max_in_flight=settings.shadow.max_in_flight,
        deadline_s=settings.deadline_s,
        log_query_text=settings.logs.query_text,
    )
    return Components(writer, ingestion, dense_indexes, indexes, retrieval, service, counters)


def _counters(settings: Settings) -> Counters:
    secret = settings.llm.api_key
    return open_counters(
        settings.context.token_counter,
        settings.context.tokenizer_file,
        model=settings.llm.model,
        api_key=secret.get_secret_value() if secret is not None else None,
        api_base=settings.llm.api_base,
    )


def open_requests(settings: Settings) -> Requests:
    """Return what checks the arguments of calls."""
    return Requests(
        budget=TokenBudget(settings.context.primary_budget, settings.context.secondary_budget),
        filter_keys=settings.retrieval.filter_keys,
        deadline_s=settings.deadline_s,
    )


def open_configured_llm(settings: Settings) -> LLM:
    """Return the LLM that writes answers; nothing is asked of its service yet.

    Raises:
        ConfigurationError: its package, its key or its URL is missing.
    """
    options = settings.llm
    key = options.api_key.get_secret_value() if options.api_key is not None else None
    return open_llm(
        options.kind,
        LLMOptions(options.model, key, options.api_base, options.timeout_s, options.max_tokens, options.temperature),
    )


def open_chat(settings: Settings, retrieval: RetrievalService, llm: LLM, counter: TokenCounter) -> ChatService:
    """Return what answers questions by the configured LLM; `counter` counts the history."""
    options = settings.llm
    rewrite = partial(astream_text, llm, timeout_s=min(_REWRITE_S, options.timeout_s), retries=0)
    return ChatService(
        retrieval,
        follow_ups=FollowUps(rewrite if options.kind != "extractive" else None),
        write=partial(astream_text, llm, timeout_s=options.timeout_s, retries=options.retries),
        llm=options.kind,
        counter=counter,
        deadline_s=settings.deadline_s,
    )


def _router(settings: Settings) -> QueryRouter:
    file = settings.query_analysis.intents
    return QueryRouter() if file is None else QueryRouter(read_intents(file), origin=f"the intents file {file}")


def _retriever(
    settings: Settings,
    vector_store: TenantPGVectorStore,
    reader: ChunkReader,
    embed_model: HashingEmbedding,
    indexes: BM25Indexes,
    loop: BackgroundLoop,
) -> HybridRetriever:
    options = settings.retrieval
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
    return {name: make[name](top_n=_NO_LIMIT) for name in order}
