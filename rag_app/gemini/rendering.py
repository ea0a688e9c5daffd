"""Chunks as a model reads them."""

from __future__ import annotations

from collections.abc import Sequence

from llama_index.core.schema import BaseNode, NodeWithScore

from rag_app.gemini.delimiters import as_attribute, without_delimiters


def render_chunk(number: int, node: BaseNode) -> str:
    """Return one chunk as the model reads it; `number` is what an answer cites it by.

    Lines of the node's `metadata["preamble"]` that its text does not hold, such as the header of a table that begins
    before it, stand above the text.
    """
    title = as_attribute(node.metadata.get("title", ""))
    source = as_attribute(node.metadata.get("source", ""))
    text = node.get_content()
    held = {line.strip() for line in text.splitlines()}
    preamble = str(node.metadata.get("preamble", "")).splitlines()
    shown = without_delimiters("\n".join([*(line for line in preamble if line.strip() not in held), text]))
    return f'<chunk id="{number}" source="{source}" title="{title}">\n{shown}\n</chunk>\n'


def render_context(nodes: Sequence[NodeWithScore]) -> str:
    """Return the chunks numbered from 1, in the order given; nothing for no chunks."""
    return "".join(render_chunk(number, node.node) for number, node in enumerate(nodes, start=1))
