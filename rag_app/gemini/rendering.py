"""Chunks as a model reads them."""

from __future__ import annotations

from collections.abc import Sequence

from llama_index.core.schema import BaseNode, NodeWithScore

from rag_app.gemini.delimiters import as_attribute, without_delimiters


def lines_above(node: BaseNode) -> list[str]:
    """Return what stands above a chunk's text: a record's fields, headings, the header of a table that it is of.

    These are the lines of the node's `metadata["preamble"]` that its text does not hold itself.
    """
    held = {line.strip() for line in node.get_content().splitlines()}
    return [line for line in str(node.metadata.get("preamble", "")).splitlines() if line.strip() not in held]


def render_chunk(number: int, node: BaseNode) -> str:
    """Return one chunk as the model reads it; `number` is what an answer cites it by."""
    title = as_attribute(node.metadata.get("title", ""))
    source = as_attribute(node.metadata.get("source", ""))
    shown = without_delimiters("\n".join([*lines_above(node), node.get_content()]))
    return f'<chunk id="{number}" source="{source}" title="{title}">\n{shown}\n</chunk>\n'


def render_context(nodes: Sequence[NodeWithScore]) -> str:
    """Return the chunks numbered from 1, in the order given; nothing for no chunks."""
    return "".join(render_chunk(number, node.node) for number, node in enumerate(nodes, start=1))
