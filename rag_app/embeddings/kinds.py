"""The kinds of embedding by name."""

from __future__ import annotations

from importlib import import_module

from rag_app.embeddings.options import Embedding, EmbeddingOptions
from rag_app.kinds import extra_of


def open_embedding(kind: str, options: EmbeddingOptions) -> Embedding:
    """Return a shipped embedding; a model of one's own is loaded now, a service is asked nothing yet.

    Args:
        kind: one of `SHIPPED["embedding"]`; each is a module of this package, imported only here.
        options: which model; `hashing` takes `dim` alone.

    Raises:
        ConfigurationError: its packages are missing, a setting that it needs is, or the model can not be loaded.
    """
    with extra_of("embedding", kind):
        module = import_module(f"rag_app.embeddings.{kind}")
        opened: Embedding = module.open_with(options)
    return opened
