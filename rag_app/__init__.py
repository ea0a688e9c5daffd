"""Production retrieval for Persian-first chat backends, built on LlamaIndex.

::

    question ──▶ ① query analysis ──▶ ② hybrid retrieval ──▶ ③ rerank ──▶ ④ context ──▶ Gemini
                   language             dense 20 ┐              cross-encoder   deduplication
                   complexity                    ├ RRF 20       or lexical      parent expansion
                   intent               BM25 15  ┘              best 8          token budget

The application: `RagApp`; the one of this process: `configure`, `default_app`. The calls of a chat backend:
`retrieve_context`, `ProductionRAG`, `ContextRetriever`, `FeatureFlags`, `RAGMetrics`. Reranking alone:
`CrossEncoderReranker`. Results: `RetrievalResult`, `ContextResult`, `IngestReport`. Errors: `rag_app.errors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rag_app.errors import RagAppError

if TYPE_CHECKING:
    from rag_app.app import RagApp
    from rag_app.context_result import ContextResult
    from rag_app.process_app import configure, default_app
    from rag_app.production_rag import (
        ContextRetriever,
        FeatureFlags,
        ProductionRAG,
        RAGMetrics,
        aretrieve_context,
        retrieve_context,
    )
    from rag_app.reranker import CrossEncoderReranker
    from rag_app.schema import IngestReport, RetrievalResult

__version__ = "0.1.0"
__all__ = [
    "ContextResult",
    "ContextRetriever",
    "CrossEncoderReranker",
    "FeatureFlags",
    "IngestReport",
    "ProductionRAG",
    "RAGMetrics",
    "RagApp",
    "RagAppError",
    "RetrievalResult",
    "__version__",
    "aretrieve_context",
    "configure",
    "default_app",
    "retrieve_context",
]

# LlamaIndex takes over a second to import, so these load on first use.
_MODULES = {
    "ContextResult": "rag_app.context_result",
    "ContextRetriever": "rag_app.production_rag",
    "CrossEncoderReranker": "rag_app.reranker",
    "FeatureFlags": "rag_app.production_rag",
    "IngestReport": "rag_app.schema",
    "ProductionRAG": "rag_app.production_rag",
    "RAGMetrics": "rag_app.production_rag",
    "RagApp": "rag_app.app",
    "RetrievalResult": "rag_app.schema",
    "aretrieve_context": "rag_app.production_rag",
    "configure": "rag_app.process_app",
    "default_app": "rag_app.process_app",
    "retrieve_context": "rag_app.production_rag",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'rag_app' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
