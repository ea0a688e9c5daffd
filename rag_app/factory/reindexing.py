"""Making the index anew by the settings."""

from __future__ import annotations

from rag_app.config import Settings
from rag_app.factory.embedding import opened_embedding
from rag_app.factory.foundation import open_database, prepare_schema
from rag_app.persian import PersianAnalyzer
from rag_app.reindexing import Progress, Reindexing, ReindexReport
from rag_app.storage import NextIndex, TenantCatalog


def reindex(settings: Settings, progress: Progress | None = None) -> ReindexReport | None:
    """Make the whole index anew with the configured embedding and this version's analyser; see `Reindexing.run`."""
    database = open_database(settings)
    try:
        prepare_schema(settings, database)
        embedding, analyzer = opened_embedding(settings), PersianAnalyzer()
        index_settings = {"analyzer": analyzer.fingerprint, "embedding": embedding.fingerprint}
        next_index = NextIndex(
            database, lambda texts: embedding.model.get_text_embedding_batch(list(texts)), analyzer.tokens
        )
        return Reindexing(TenantCatalog(database), next_index, index_settings).run(progress)
    finally:
        if "engine" in vars(database):
            database.engine.dispose()
