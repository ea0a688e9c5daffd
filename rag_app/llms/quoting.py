"""Which sentences of the context answer a question best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.gemini import ReadChunk
from rag_app.persian import PersianAnalyzer, idf, sentence_spans


@dataclass(frozen=True)
class Quote:
    """A sentence of a chunk; `number` is what it is cited by."""

    number: int
    text: str


def best_quotes(question: str, chunks: Sequence[ReadChunk]) -> list[Quote]:
    """Return the sentences that answer the question, the best first; none if nothing fits well enough."""
    analyzer = PersianAnalyzer()
    words = {word: idf(word) for word in analyzer.words(question)}
    scored = []
    for chunk in chunks:
        for start, end in sentence_spans(chunk.text):
            held = set(analyzer.tokens(chunk.text[start:end]))
            share = sum(weight for word, weight in words.items() if word in held) / (sum(words.values()) or 1)
            scored.append((share, -chunk.number, -start, " ".join(chunk.text[start:end].split())))
    scored.sort(reverse=True)
    return [Quote(-number, text) for share, number, _, text in scored[:1] if share > 0.2]
