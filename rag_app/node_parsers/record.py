"""Products and other records: what they are, and their fields, in one chunk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.schema import BaseNode, RelatedNodeInfo, TextNode

from rag_app.node_parsers.parent_child import WholeNodeParser
from rag_app.node_parsers.preamble import PREAMBLE
from rag_app.persian.sentences import Span

_NO_FIELDS = {"doc_id", "source", "title", "kind", "tenant", PREAMBLE}
# A sum of money ends in noughts; a code, a year or a telephone number seldom does.
_MONEY = re.compile(r"[1-9۱-۹]\d{2,20}(?:00|۰۰)")


class RecordNodeParser(WholeNodeParser):
    """Makes each record one child of one parent, unless its text is longer than a parent may be.

    The record's metadata, such as price, colour or sku, are its fields: each node has them in `metadata["preamble"]` as
    lines of «name: value», which are searched and shown with its text. A list is joined by commas and 4200000 becomes
    4,200,000; an empty value, an object within the record, and a line longer than a child stay in the metadata alone.

    Args:
        child_tokens: the most tokens of a child's text where a record is split.
        parent_tokens: the most tokens of a text that stays whole.
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "RecordNodeParser"

    def _node(
        self, document: BaseNode, source: RelatedNodeInfo, kind: str, span: Span, above: Sequence[str] = ()
    ) -> TextNode:
        return super()._node(document, source, kind, span, (*_lines(document.metadata), *above))


def _lines(metadata: Mapping[str, Any]) -> Iterator[str]:
    for name, value in metadata.items():
        shown = "" if name in _NO_FIELDS else _shown(value, persian=not name.isascii())
        if shown:
            yield f"{' '.join(name.split())}: {shown}"


def _shown(value: Any, *, persian: bool) -> str:
    """Return the value on one line, or nothing for what has no short form."""
    if isinstance(value, bool):
        return ("بله" if value else "خیر") if persian else ("yes" if value else "no")
    if isinstance(value, list):
        return "، ".join(filter(None, (_shown(entry, persian=persian) for entry in value)))
    if not isinstance(value, str | int | float):
        return ""
    text = " ".join(str(int(value) if isinstance(value, float) and value.is_integer() else value).split())
    return _grouped(text) if _MONEY.fullmatch(text) else text


def _grouped(digits: str) -> str:
    comma = "," if digits.isascii() else "٬"
    return re.sub(r"(?<=\d)(?=(?:\d{3})+$)", comma, digits)
