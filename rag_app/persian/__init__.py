"""What is known of Persian and its script: folding, words, sentences, word frequencies, language."""

from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.folding import fold
from rag_app.persian.frequencies import idf
from rag_app.persian.ngrams import ngrams
from rag_app.persian.sentences import sentence_spans

__all__ = ["PersianAnalyzer", "fold", "idf", "ngrams", "sentence_spans"]
