"""A reranker that needs no model: which words of the question does the passage hold, however they are spelt?"""

from __future__ import annotations

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import PrivateAttr

from rag_app.persian import PersianAnalyzer, idf, ngrams

SMALLEST, LARGEST = 2, 4
RANK_PRIOR = 0.1  # what the first of the fused list is given over the last


class LexicalRerank(BaseNodePostprocessor):
    """Orders nodes by the share of the query's information that they hold; scores lie between 0 and 1.

    Each word of the query counts by its IDF, times the square of the best Dice similarity of its character n-grams to
    those of a word of the passage: 1 for the word itself, less for another form or a misspelling of it. A small prior
    keeps the order of passages that hold the same words.

    Args:
        top_n: the most nodes to return.
    """

    top_n: int = 20
    _analyzer: PersianAnalyzer = PrivateAttr(default_factory=PersianAnalyzer)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "LexicalRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes or query_bundle is None:
            return nodes[: self.top_n]
        query_words = {word: idf(word) for word in self._analyzer.words(query_bundle.query_str)}
        total = sum(query_words.values())
        passages = [set(self._analyzer.words(node.node.get_content(MetadataMode.EMBED))) for node in nodes]
        vocabulary = set().union(*passages)
        held = [0.0] * len(nodes)
        for word, weight in query_words.items():
            similar = _similar_words(word, vocabulary)
            for place, passage in enumerate(passages):
                held[place] += weight * max((similar[near] for near in passage & similar.keys()), default=0.0)
        scored = [
            NodeWithScore(
                node=node.node,
                score=(held[place] / total if total else 0.0) * (1 - RANK_PRIOR)
                + RANK_PRIOR * (1 - place / len(nodes)),
            )
            for place, node in enumerate(nodes)
        ]
        return sorted(scored, key=lambda node: -(node.score or 0.0))[: self.top_n]


def _similar_words(word: str, vocabulary: set[str]) -> dict[str, float]:
    """Return the words that share an n-gram with `word`, with the square of their Dice similarity."""
    grams = ngrams(word, SMALLEST, LARGEST)
    similar = {}
    for other in vocabulary:
        other_grams = ngrams(other, SMALLEST, LARGEST)
        if shared := len(grams & other_grams):
            similar[other] = (2 * shared / (len(grams) + len(other_grams))) ** 2
    return similar
