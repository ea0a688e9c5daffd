"""Production retrieval for Persian-first chat backends, built on LlamaIndex.

::

    question ──▶ ① query analysis ──▶ ② hybrid retrieval ──▶ ③ rerank ──▶ ④ context ──▶ Gemini
                   language             dense 20 ┐              cross-encoder   deduplication
                   complexity                    ├ RRF 20       or lexical      parent expansion
                   intent               BM25 15  ┘              best 8          token budget

The application: `RagApp`. Reranking alone: `CrossEncoderReranker`. Results: `RetrievalResult`,
`IngestReport`. Errors: `rag_app.errors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rag_app.errors import RagAppError

if TYPE_CHECKING:
    from rag_app.app import RagApp
    from rag_app.reranker import CrossEncoderReranker
    from rag_app.schema import IngestReport, RetrievalResult

__version__ = "0.1.0"
__all__ = ["CrossEncoderReranker", "IngestReport", "RagApp", "RagAppError", "RetrievalResult", "__version__"]

# LlamaIndex takes over a second to import, so these load on first use.
_MODULES = {
    "CrossEncoderReranker": "rag_app.reranker",
    "IngestReport": "rag_app.schema",
    "RagApp": "rag_app.app",
    "RetrievalResult": "rag_app.schema",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'rag_app' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
