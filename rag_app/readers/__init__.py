"""Files and records to LlamaIndex documents: text, Markdown, JSONL, and CSV of questions or of products."""

from rag_app.readers.documents import Read
from rag_app.readers.files import Item, read

__all__ = ["Item", "Read", "read"]
