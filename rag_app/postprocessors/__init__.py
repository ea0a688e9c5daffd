"""Stage 3, rerank: cross-encoder or lexical. Stage 4, context: deduplication, parents, token budget."""

from rag_app.postprocessors.cross_encoder import CrossEncoderRerank
from rag_app.postprocessors.deduplication import Deduplication
from rag_app.postprocessors.lexical_rerank import LexicalRerank
from rag_app.postprocessors.parent_expansion import ParentExpansion
from rag_app.postprocessors.token_budget import TokenBudgetPostprocessor

__all__ = ["CrossEncoderRerank", "Deduplication", "LexicalRerank", "ParentExpansion", "TokenBudgetPostprocessor"]
