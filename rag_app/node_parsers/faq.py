"""Questions stay with their answers."""

from __future__ import annotations

from llama_index.core.schema import BaseNode, TextNode
from pydantic import PositiveInt

from rag_app.node_parsers.parent_child import WholeNodeParser


class FaqNodeParser(WholeNodeParser):
    """Makes each question-answer pair one child of one parent, unless it is longer than a parent may be.

    What is searched of a pair holds the question `question_weight` times: once as it stands in the pair, and before it
    as often as is missing, from the metadata `question`, or `title` where the question is the title. What is shown
    holds it once.

    Args:
        child_tokens: the most tokens of a child's text where a pair is split.
        parent_tokens: the most tokens of a pair that stays whole.
        question_weight: how often the question counts; with 1 the pair alone is searched.
    """

    question_weight: PositiveInt = 2

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "FaqNodeParser"

    def _whole(self, document: BaseNode) -> list[TextNode]:
        nodes = super()._whole(document)
        for node in nodes:
            node.excluded_embed_metadata_keys = [key for key in node.excluded_embed_metadata_keys if key != "question"]
            node.text_template = "{metadata_str}\n" * (self.question_weight - 1) + "{content}"
        return nodes
