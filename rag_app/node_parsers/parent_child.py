"""Parents, which the model reads, and children, which are searched."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Literal

from llama_index.core.node_parser.interface import NodeParser
from llama_index.core.schema import BaseNode, Document, NodeRelationship, RelatedNodeInfo, TextNode
from pydantic import PositiveInt, PrivateAttr, model_validator

from rag_app.node_parsers.packing import fits, pack
from rag_app.node_parsers.preamble import PREAMBLE, preambles
from rag_app.persian import sentence_spans
from rag_app.persian.sentences import Span
from rag_app.schema import TokenCounter
from rag_app.tokens import EstimatedTokenCounter


class ParentChildNodeParser(NodeParser):
    """Makes each document into parents of whole sentences, and each parent into children.

    Returns the parents and the children in document order; a child carries its parent in
    `relationships[NodeRelationship.PARENT]`, and every node its place in the document in `start_char_idx` and
    `end_char_idx`. Node ids depend on the tenant, the document's id and the place alone.

    A node that begins in the middle of a section or a table has the headings above it and the table's header row in
    `metadata["preamble"]`, one to a line. They are searched and shown with the node and count towards no size, so that
    its text remains that of the document; a line that is itself longer than a child is left out.

    Args:
        child_tokens: the most tokens of a child's text.
        parent_tokens: the most tokens of a parent's text.
        rules: the version of the rules; documents that were cut by another are cut anew.
    """

    child_tokens: PositiveInt = 128
    parent_tokens: PositiveInt = 512
    rules: Literal[3] = 3
    _counter: TokenCounter = PrivateAttr(default_factory=EstimatedTokenCounter)

    @model_validator(mode="after")
    def _parents_hold_children(self) -> ParentChildNodeParser:
        if self.parent_tokens < self.child_tokens:
            raise ValueError(f"parent_tokens ({self.parent_tokens}) is less than child_tokens ({self.child_tokens})")
        return self

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "ParentChildNodeParser"

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        return [node for document in nodes for node in self._parse_document(document)]

    def _postprocess_parsed_nodes(self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]) -> list[BaseNode]:
        return nodes  # LlamaIndex would look their places up by text, which a repeated sentence misleads

    def _parse_document(self, document: BaseNode) -> list[TextNode]:
        text = document.get_content()
        source = _reference(document)
        sentences = sentence_spans(text)
        starts, ends = [left for left, _ in sentences], [right for _, right in sentences]
        above = preambles(text, sentences, str(document.metadata.get("title", "")))

        def node(kind: str, span: Span) -> TextNode:
            return self._node(document, source, kind, span, above[bisect_right(starts, span[0]) - 1])

        parsed: list[TextNode] = []
        for start, end in _trimmed(text, pack(text, sentences, self.parent_tokens, self._counter)):
            overlapping = sentences[bisect_right(ends, start) : bisect_left(starts, end)]
            within = [(max(left, start), min(right, end)) for left, right in overlapping]
            children = _trimmed(text, pack(text, within, self.child_tokens, self._counter))
            parsed += _linked(node("parent", (start, end)), [node("child", span) for span in children])
        return parsed

    def _node(
        self, document: BaseNode, source: RelatedNodeInfo, kind: str, span: Span, above: Sequence[str] = ()
    ) -> TextNode:
        start, end = span
        place = f"{document.metadata.get('tenant', '')}\0{document.node_id}\0{kind}\0{start}\0{end}"
        preamble = [line for line in above if fits(line, self.child_tokens, self._counter)]
        return TextNode(
            id_=hashlib.sha256(place.encode()).hexdigest()[:32],
            text=document.get_content()[start:end],
            start_char_idx=start,
            end_char_idx=end,
            metadata={**document.metadata, **({PREAMBLE: "\n".join(preamble)} if preamble else {})},
            excluded_embed_metadata_keys=[key for key in document.metadata if key not in ("title", PREAMBLE)],
            excluded_llm_metadata_keys=[key for key in document.metadata if key != PREAMBLE],
            metadata_template="{value}",
            text_template="{metadata_str}\n{content}",
            relationships={NodeRelationship.SOURCE: source},
        )


class WholeNodeParser(ParentChildNodeParser):
    """Makes each document one child of one parent, unless it is longer than a parent may be."""

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "WholeNodeParser"

    def _parse_document(self, document: BaseNode) -> list[TextNode]:
        text = document.get_content()
        return (
            self._whole(document)
            if fits(text, self.parent_tokens, self._counter)
            else super()._parse_document(document)
        )

    def _whole(self, document: BaseNode) -> list[TextNode]:
        span, source = (0, len(document.get_content())), _reference(document)
        return _linked(self._node(document, source, "parent", span), [self._node(document, source, "child", span)])


def _linked(parent: TextNode, children: Sequence[TextNode]) -> list[TextNode]:
    """Return the parent and its children, linked to each other."""
    above = _reference(parent)
    for child in children:
        child.relationships[NodeRelationship.PARENT] = above
    parent.relationships[NodeRelationship.CHILD] = [_reference(child) for child in children]
    return [parent, *children]


def _reference(node: BaseNode) -> RelatedNodeInfo:
    """Return what names a node, without the copy of its metadata and the hash of its text that LlamaIndex adds."""
    return RelatedNodeInfo(node_id=node.node_id, node_type=node.get_type())


def _trimmed(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the spans without the white space around them; blank ones are left out."""
    trimmed = []
    for start, end in spans:
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            trimmed.append((left, left + len(piece.strip())))
    return trimmed
