"""Files and records to LlamaIndex documents: texts, tables, web pages, Word and PDF documents."""

from rag_app.readers.documents import Read
from rag_app.readers.files import Item, read

__all__ = ["Item", "Read", "read"]
