"""Chunks that were read before, remembered within a limit of bytes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from copy import copy, deepcopy
from typing import NamedTuple

from llama_index.core.schema import TextNode

_BYTES_OF_NODE = 1_300  # of its objects, beside its text
_BYTES_OF_JSON = 3.9  # of its metadata and relationships, for each character of the JSON that they were in
_CHANGEABLE = ("relationships", "excluded_embed_metadata_keys", "excluded_llm_metadata_keys")


class _Remembered(NamedTuple):
    generation: int
    node: TextNode
    nested: tuple[str, ...]
    nbytes: int


class NodeMemory:
    """Chunks as of a generation of their tenant; those asked for least recently are forgotten first.

    What it gives is the caller's to change. All calls must come from one thread.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._nbytes = 0
        self._remembered: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """The memory that the chunks hold, in bytes, about."""
        return self._nbytes

    def get(self, tenant: str, node_ids: Iterable[str], generation: int) -> dict[str, TextNode]:
        """Return by id the chunks that are remembered as of this generation of the tenant or of a newer one."""
        found = {}
        for node_id in node_ids:
            known = self._remembered.get((tenant, node_id))
            if known is not None and known.generation >= generation:
                self._remembered.move_to_end((tenant, node_id))
                found[node_id] = _copy(known.node, known.nested)
        return found

    def keep(self, tenant: str, node: TextNode, generation: int, json_size: int) -> None:
        """Remember a chunk that was read when its tenant was of this generation, from so much JSON."""
        key = (tenant, node.node_id)
        self._forget(key)
        nbytes = _BYTES_OF_NODE + sys.getsizeof(node.text) + int(_BYTES_OF_JSON * json_size)
        nested = tuple(name for name, value in node.metadata.items() if isinstance(value, (list, dict)))
        self._remembered[key] = _Remembered(generation, _copy(node, nested), nested, nbytes)
        self._nbytes += nbytes
        while self._nbytes > self._max_bytes:
            self._forget(next(iter(self._remembered)))

    def _forget(self, key: tuple[str, str]) -> None:
        known = self._remembered.pop(key, None)
        if known is not None:
            self._nbytes -= known.nbytes


def _copy(node: TextNode, nested: Sequence[str]) -> TextNode:
    """Return a copy that shares what can not be changed; a tenth of the time of parsing it again.

    Args:
        node: a chunk.
        nested: the keys of its metadata whose values can be changed.
    """
    copied = copy(node)
    fields = copied.__dict__  # what pydantic would check again when it is set
    fields["metadata"] = metadata = node.metadata.copy()
    for key in nested:
        metadata[key] = deepcopy(metadata[key])
    for name in _CHANGEABLE:
        fields[name] = fields[name].copy()
    return copied
