"""Building everything from the settings; the only reader of the settings."""

from rag_app.factory.conversation import ConfiguredLLM, open_chat, open_configured_llm, open_requests
from rag_app.factory.foundation import flags_on, open_database, open_flags, prepare_schema
from rag_app.factory.pipelines import Components, build
from rag_app.factory.reindexing import reindex

__all__ = [
    "Components",
    "ConfiguredLLM",
    "build",
    "flags_on",
    "open_chat",
    "open_configured_llm",
    "open_database",
    "open_flags",
    "open_requests",
    "prepare_schema",
    "reindex",
]
