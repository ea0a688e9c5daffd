"""What is known of Persian and its script: folding, words, sentences, word frequencies, ways of writing, language."""

from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.folding import fold
from rag_app.persian.lexicon import Lexicons
from rag_app.persian.ngrams import ngrams
from rag_app.persian.sentences import sentence_spans
from rag_app.persian.vocabulary import Vocabulary
from rag_app.persian.weights import idf

__all__ = ["Lexicons", "PersianAnalyzer", "Vocabulary", "fold", "idf", "ngrams", "sentence_spans"]
