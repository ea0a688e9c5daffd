"""Dropping chunks that say again what a better one says."""

from __future__ import annotations

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr

from rag_app.persian import PersianAnalyzer
from rag_app.schema import trace_of


class Deduplication(BaseNodePostprocessor):
    """Keeps the first of any nodes whose words are nearly the same.

    Args:
        threshold: the share of common words (Jaccard) from which two nodes count as one.
    """

    threshold: float = 0.9
    _analyzer: PersianAnalyzer = PrivateAttr(default_factory=PersianAnalyzer)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "Deduplication"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        kept: list[tuple[NodeWithScore, set[str]]] = []
        for node in nodes:
            words = set(self._analyzer.words(node.node.get_content()))
            twin = next((other for other, known in kept if _jaccard(words, known) >= self.threshold), None)
            if twin is None:
                kept.append((node, words))
            else:
                trace_of(query_bundle).drop(node.node.node_id, "context", f"says the same as {twin.node.node_id[:8]}")
        return [node for node, _ in kept]


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0
