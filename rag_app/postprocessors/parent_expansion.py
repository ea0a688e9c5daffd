"""From the child that was found to the parent that is read."""

from __future__ import annotations

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from rag_app.background import BackgroundLoop
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader


class ParentExpansion(BaseNodePostprocessor):
    """Gives each node its parent's text, once for each parent, at the place of the parent's best child.

    The result keeps the child's id and metadata. Its text is the parent's, and `start_char_idx` and `end_char_idx` say
    where the child lies in that text. A child whose parent is gone, or has been written anew since, stays as it is.
    """

    _reader: ChunkReader = PrivateAttr()
    _loop: BackgroundLoop = PrivateAttr()

    def __init__(self, reader: ChunkReader, loop: BackgroundLoop) -> None:
        super().__init__()
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
        parents = await self._reader.aparents(query.tenant, list({parent_id for parent_id in parent_ids if parent_id}))
        expanded: dict[str, NodeWithScore] = {}
        for node, parent_id in zip(nodes, parent_ids, strict=True):
            if parent_id in expanded:
                best = expanded[parent_id].node.node_id[:8]
                query.trace.drop(node.node.node_id, "context", f"in the same parent as {best}")
                continue
            parent = parents.get(parent_id or "")
            text = _within_parent(node.node, parent) if parent is not None else node.node
            expanded[parent_id or node.node.node_id] = NodeWithScore(node=text, score=node.score)
        return list(expanded.values())


def _parent_id(node: BaseNode) -> str | None:
    return node.parent_node.node_id if node.parent_node is not None else None


def _within_parent(child: BaseNode, parent: TextNode) -> BaseNode:
    if not isinstance(child, TextNode) or child.start_char_idx is None or child.end_char_idx is None:
        return child
    offset = parent.start_char_idx or 0
    start, end = child.start_char_idx - offset, child.end_char_idx - offset
    if parent.text[start:end] != child.text:
        return child
    return child.model_copy(update={"text": parent.text, "start_char_idx": start, "end_char_idx": end})
