"""What a component gave is checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llama_index.core.schema import NodeWithScore

from rag_app.errors import InvalidAnswerError


def scored_list(answer: object) -> list[NodeWithScore]:
    """Return what a component gave if it is a list of nodes, with numbers or nothing for scores.

    Raises:
        InvalidAnswerError: it is something else.
    """
    if not isinstance(answer, list) or not all(isinstance(entry, NodeWithScore) for entry in answer):
        raise InvalidAnswerError(f"a component gave no list of scored nodes but a {type(answer).__name__}")
    if not all(entry.score is None or math.isfinite(entry.score) for entry in answer):
        raise InvalidAnswerError("a component gave a score that is no number")
    return answer


def chosen_from(given: Sequence[NodeWithScore], answer: object, *, may_be_empty: bool = False) -> list[NodeWithScore]:
    """Return the nodes that a postprocessor gave if they are some of those it was given, each once.

    Raises:
        InvalidAnswerError: they are something else.
    """
    nodes = scored_list(answer)
    ids = {node.node.node_id for node in nodes}
    if len(ids) < len(nodes) or not ids <= {node.node.node_id for node in given}:
        raise InvalidAnswerError("a postprocessor gave nodes that it was not given, or one twice")
    if not nodes and not may_be_empty:
        raise InvalidAnswerError("a postprocessor left no node")
    return nodes
