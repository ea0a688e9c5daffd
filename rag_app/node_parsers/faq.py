"""Questions stay with their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import BaseNode

from rag_app.node_parsers.parent_child import ParentChildNodeParser, parent_with_children


class FaqNodeParser(ParentChildNodeParser):
    """Makes each question-answer pair one child of one parent, unless it is longer than a parent may be."""

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "FaqNodeParser"

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        parsed: list[BaseNode] = []
        for document in nodes:
            pair = document.get_content()
            if self._counter.count(pair) <= self.parent_tokens:
                parsed += parent_with_children(
                    document, document.as_related_node_info(), (0, len(pair)), [(0, len(pair))]
                )
            else:
                parsed += self._parse_document(document)
        return parsed
