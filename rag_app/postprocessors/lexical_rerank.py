"""A reranker that needs no model: which words of the question does the passage hold, however they are written?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle
from numpy.typing import NDArray
from pydantic import PrivateAttr

from rag_app.persian import PersianAnalyzer, Vocabulary, idf
from rag_app.schema import QueryWord, Reading, RetrievalQuery

# What makes a score: the words in the passage, in all found passages of its parent, neighbouring words that are
# neighbours there too, the likeness of question and title, and the place in the fused list.
_PASSAGE, _PARENT, _NEIGHBOURS, _TITLE, _PRIOR = 0.29, 0.29, 0.14, 0.2, 0.08

Forms = Sequence[Sequence[str]]


class LexicalRerank(BaseNodePostprocessor):
    """Orders nodes by the share of the question's weight that they hold; scores lie between 0 and 1.

    Each word of the question counts by its weight, times the similarity of the best word of the passage that it may
    stand for (see `Vocabulary`; without a reading of the tenant's texts, that of the nodes). Words also count that
    only other passages of the same parent hold, because the parent is what will be read.

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
        passages = [self._analyzer.forms(node.node.get_content(MetadataMode.EMBED)) for node in nodes]
        words = _reading(query_bundle, passages).words
        weights = np.array([0.0 if word in words[:at] else word.weight for at, word in enumerate(words)])
        pair_weights = np.array([math.sqrt(one.weight * next_one.weight) for one, next_one in pairwise(words)])
        held = _held(words, passages)
        best = np.array([similarities.max(axis=0) for similarities in held])
        pairs = np.array([(similarities[:-1, :-1] * similarities[1:, 1:]).max(axis=0) for similarities in held])
        parents = [_parent(node.node) for node in nodes]
        best_of_parent = {
            parent: best[[place for place, other in enumerate(parents) if other == parent]].max(axis=0)
            for parent in parents
        }
        scores = (
            _PASSAGE * _share(best, weights)
            + _PARENT * _share(np.array([best_of_parent[parent] for parent in parents]), weights)
            + _NEIGHBOURS * _share(pairs, pair_weights)
            + _TITLE * np.array([_likeness(words, weights, self._analyzer.forms(_title(node.node))) for node in nodes])
            + _PRIOR * (1 - np.arange(len(nodes)) / len(nodes))
        )
        order = np.argsort(-scores, kind="stable")[: self.top_n]
        return [NodeWithScore(node=nodes[place].node, score=float(scores[place])) for place in order]


def _reading(query_bundle: QueryBundle, passages: Sequence[Forms]) -> Reading:
    if isinstance(query_bundle, RetrievalQuery) and query_bundle.reading is not None:
        return query_bundle.reading
    texts = [[form for forms in passage for form in forms] for passage in passages]
    return Vocabulary.of_texts(texts).read(query_bundle.query_str)


def _held(words: Sequence[QueryWord], passages: Sequence[Forms]) -> list[NDArray[np.float64]]:
    """Return for each passage how similar its words (rows) are to what the question's (columns) may stand for."""
    meanings: dict[str, list[tuple[int, float]]] = {}
    for column, word in enumerate(words):
        for match, similarity in word.matches.items():
            meanings.setdefault(match, []).append((column, similarity))
    held = []
    for passage in passages:
        similarities = np.zeros((len(passage) + 2, len(words)))  # two rows more: a passage without words has neighbours
        for row, forms in enumerate(passage):
            for form in forms:
                for column, similarity in meanings.get(form, ()):
                    similarities[row, column] = max(similarities[row, column], similarity)
        held.append(similarities)
    return held


def _share(held: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each row the share of the weights that is held; 0 of nothing."""
    total = weights.sum()
    shares: NDArray[np.float64] = held @ weights / total if total else np.zeros(len(held))
    return shares


def _likeness(words: Sequence[QueryWord], weights: NDArray[np.float64], title: Forms) -> float:
    """Return how far question and title hold the same words: the F-measure of the shares of their weights."""
    if not title or not words:
        return 0.0
    (held,) = _held(words, [title])
    title_weights = np.array([idf(forms[0]) for forms in title])
    of_question = float(held.max(axis=0) @ weights / weights.sum())
    of_title = float(held[: len(title)].max(axis=1) @ title_weights / title_weights.sum())
    return 2 * of_question * of_title / (of_question + of_title) if of_question else 0.0


def _title(node: BaseNode) -> str:
    title = node.metadata.get("title")
    return title if isinstance(title, str) else ""


def _parent(node: BaseNode) -> str:
    return node.parent_node.node_id if node.parent_node is not None else node.node_id
