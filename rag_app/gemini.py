"""The context as Gemini reads it: numbered chunks between delimiters that no document can imitate."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llama_index.core.schema import BaseNode, NodeWithScore

# White space, a slash and invisible characters may stand between the bracket and the name.
_DELIMITER = re.compile(
    r"<(?=[\s/\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*(?:chunk|context)\b)", re.IGNORECASE
)


def render_chunk(number: int, node: BaseNode) -> str:
    """Return one chunk as the model reads it; `number` is what an answer cites it by.

    Lines of the node's `metadata["preamble"]` that its text does not hold, such as the header of a table that begins
    before it, stand above the text.
    """
    title = _attribute(node.metadata.get("title", ""))
    source = _attribute(node.metadata.get("source", ""))
    text = node.get_content()
    held = {line.strip() for line in text.splitlines()}
    preamble = str(node.metadata.get("preamble", "")).splitlines()
    shown = _text("\n".join([*(line for line in preamble if line.strip() not in held), text]))
    return f'<chunk id="{number}" source="{source}" title="{title}">\n{shown}\n</chunk>\n'


def render_context(nodes: Sequence[NodeWithScore]) -> str:
    """Return the chunks numbered from 1, in the order given; nothing for no chunks."""
    return "".join(render_chunk(number, node.node) for number, node in enumerate(nodes, start=1))


def _text(text: str) -> str:
    return _DELIMITER.sub("(", text)  # one token for one token, so that budgets hold


def _attribute(text: str) -> str:
    return " ".join(_text(text).replace('"', "”").split())
