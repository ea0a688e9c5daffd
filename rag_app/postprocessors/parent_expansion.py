"""From the child that was found to the parent that is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from rag_app.background import BackgroundLoop
from rag_app.schema import FoundInParent, RetrievalQuery
from rag_app.storage import ChunkReader


class ParentExpansion(BaseNodePostprocessor):
    """Gives each node its parent's text, once for each parent, at the place of the parent's best child.

    The result is a `FoundInParent`: with the child's id and metadata, the parent's text, and where the child and the
    others lie in it that were found among the best. A child whose parent is gone, or has been written anew since,
    stays as it is.

    Args:
        reader: reads the parents.
        loop: runs it for callers that do not await.
        top_n: how many nodes are the best, if the query does not say.
    """

    top_n: int = 8
    _reader: ChunkReader = PrivateAttr()
    _loop: BackgroundLoop = PrivateAttr()

    def __init__(self, reader: ChunkReader, loop: BackgroundLoop, *, top_n: int = 8) -> None:
        super().__init__(top_n=top_n)
        self._reader = reader
        self._loop = loop

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "ParentExpansion"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return self._loop.call(self._apostprocess_nodes, nodes, query_bundle)

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = RetrievalQuery.of(query_bundle)
        parent_ids = [_parent_id(node.node) for node in nodes]
        parents = await self._reader.aparents(query, {parent_id for parent_id in parent_ids if parent_id})
        best: defaultdict[str | None, list[BaseNode]] = defaultdict(list)
        for node, parent_id in islice(zip(nodes, parent_ids, strict=True), query.options.rerank_top_k or self.top_n):
            best[parent_id].append(node.node)
        expanded: dict[str, NodeWithScore] = {}
        for node, parent_id in zip(nodes, parent_ids, strict=True):
            if parent_id in expanded:
                first = expanded[parent_id].node.node_id[:8]
                query.trace.drop(node.node.node_id, "context", f"in the same parent as {first}")
                continue
            parent = parents.get(parent_id or "")
            text = _within_parent(node.node, parent, best[parent_id]) if parent is not None else node.node
            expanded[parent_id or node.node.node_id] = NodeWithScore(node=text, score=node.score)
        return list(expanded.values())


def _parent_id(node: BaseNode) -> str | None:
    return node.parent_node.node_id if node.parent_node is not None else None


def _within_parent(child: BaseNode, parent: TextNode, best: Iterable[BaseNode]) -> BaseNode:
    if (place := _place(child, parent)) is None:
        return child
    places = [place, *(found for other in best if (found := _place(other, parent)) is not None)]
    update = {
        "text": parent.text,
        "start_char_idx": place[0],
        "end_char_idx": place[1],
        "found_start_idx": min(start for start, _ in places),
        "found_end_idx": max(end for _, end in places),
    }
    return FoundInParent(**{**dict(child), **update})


def _place(child: BaseNode, parent: TextNode) -> tuple[int, int] | None:
    """Return where the parent's text holds the child's; None if it does not."""
    if not isinstance(child, TextNode) or child.start_char_idx is None or child.end_char_idx is None:
        return None
    offset = parent.start_char_idx or 0
    start, end = child.start_char_idx - offset, child.end_char_idx - offset
    return (start, end) if parent.text[start:end] == child.text else None
