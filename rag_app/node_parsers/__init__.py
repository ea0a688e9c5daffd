"""Documents to nodes: sentence-aware chunks, children that point to parents, question-answer pairs, records."""

from rag_app.node_parsers.faq import FaqNodeParser
from rag_app.node_parsers.parent_child import ParentChildNodeParser
from rag_app.node_parsers.record import RecordNodeParser
from rag_app.node_parsers.sentence_splitter import PersianSentenceSplitter

__all__ = ["FaqNodeParser", "ParentChildNodeParser", "PersianSentenceSplitter", "RecordNodeParser"]
