"""Building everything from the settings; the only reader of the settings."""

from rag_app.factory.conversation import open_chat, open_configured_llm, open_requests
from rag_app.factory.foundation import open_database, open_flags, prepare_schema
from rag_app.factory.pipelines import Components, build

__all__ = [
    "Components",
    "build",
    "open_chat",
    "open_configured_llm",
    "open_database",
    "open_flags",
    "open_requests",
    "prepare_schema",
]
