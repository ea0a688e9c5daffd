"""What must hold of the stored rows of a tenant at any moment: each check returns what was wrong, in lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from ingesting import SHARED, State, record, text

from rag_app import RagApp

_DOCUMENTS: LiteralString = """
    SELECT doc_id, source, title, content_hash, metadata, chunks, generation,
        (SELECT count(*) FROM rag_app.data_chunks AS chunk WHERE chunk.doc_id = document.doc_id) AS rows
    FROM rag_app.documents AS document ORDER BY doc_id
"""
_PARENTS: LiteralString = "SELECT doc_id, parent_id, start_char, text FROM rag_app.parents ORDER BY doc_id, start_char"
_CHUNKS: LiteralString = """
    SELECT doc_id, parent_id, source, text, tokens, embedding::text AS embedding, metadata_ ->> 'version' AS version
    FROM rag_app.data_chunks ORDER BY doc_id, id
"""
_GENERATIONS: LiteralString = """
    SELECT generation, settled, (SELECT max(generation) FROM rag_app.documents) AS written,
        (SELECT max(generation) FROM rag_app.deletions) AS deleted
    FROM rag_app.tenants
"""
_VERSION = re.compile(r"نسخه (\d+)")
Hashes = dict[tuple[str, int], str]
"""The content hash of each version of each document."""


class Integrity:
    """Looks at the rows of a tenant; content hashes are learnt from what it sees first, and hold for every tenant."""

    def __init__(self, app: RagApp) -> None:
        self._app = app
        self._hashes: Hashes = {}
        self._generations: dict[str, int] = {}

    def rows(self, tenant: str, before: State, after: State) -> list[str]:
        """Check that every document is whole and of the version of `before` or of `after`, or gone if it may be."""
        documents = {row.doc_id: row for row in self._fetch(tenant, _DOCUMENTS)}
        parents, chunks = self._fetch(tenant, _PARENTS), self._fetch(tenant, _CHUNKS)
        wrong = [
            f"{row.doc_id}: a {what} without its document"
            for what, rows in (("parent", parents), ("chunk", chunks))
            for row in rows
            if row.doc_id not in documents
        ]
        for doc_id in before.keys() | after.keys() | documents.keys():
            row = documents.get(doc_id)
            version = row.metadata["version"] if row is not None else None
            if version not in (before.get(doc_id), after.get(doc_id)):
                wrong.append(f"{doc_id}: version {version}, not {before.get(doc_id)} or {after.get(doc_id)}")
            if row is not None:
                own_parents = [parent for parent in parents if parent.doc_id == doc_id]
                own_chunks = [chunk for chunk in chunks if chunk.doc_id == doc_id]
                wrong += [f"{doc_id}: {line}" for line in self._document(row, own_parents, own_chunks)]
        return wrong + self._generation(tenant)

    def retrieval(self, tenant: str, stored: Mapping[str, int]) -> list[str]:
        """Check that a search answers by both legs, from what is stored, whatever state the index is in."""
        result = self._app.retrieve(SHARED, tenant=tenant)
        wrong = [f"degraded: {entry}" for entry in result.trace.degradations]
        if bool(stored) is not bool(result.nodes):
            wrong.append(f"{len(stored)} documents are stored, {len(result.nodes)} chunks were found")
        for node in result.nodes:
            doc_id, content = node.node.metadata["doc_id"], node.node.get_content()
            if doc_id not in stored or content not in text(int(doc_id[1:]), stored[doc_id]):
                wrong.append(f"{doc_id}: found as it is not stored")
        if stored and {leg for chunk in result.trace.chunks.values() for leg in chunk.legs} != {"dense", "bm25"}:
            wrong.append("a leg found nothing")
        return wrong

    def index(self, tenant: str) -> tuple[str, list[str]]:
        """Return in what state the tenant's index was, and whether it was used though it may not, or is not mended."""
        chunks, state = self._app.stats(tenant).chunks, self._index_state(tenant)
        status = self._app.stats(tenant).dense_index
        wrong = []
        if state == "invalid" and (status.kind != "exact" or not self._app.stats(tenant).documents):
            wrong.append(f"an invalid index is said to be used: {status}")
        (mended,) = self._app.reindex(tenant)
        after = self._index_state(tenant)
        if after == "invalid" or (
            chunks > self._app.settings.retrieval.exact_limit and (after != "valid" or mended.recall is None)
        ):
            wrong.append(f"the index is {after} after a reindex: {mended}")
        return state, wrong

    def stored(self, tenant: str) -> dict[str, int]:
        """Return the version of each document."""
        return {row.doc_id: row.metadata["version"] for row in self._fetch(tenant, _DOCUMENTS)}

    def content(self, tenant: str) -> list[list[tuple[Any, ...]]]:
        """Return all that is stored but for what differs between tenants: ids of nodes, and generations."""
        return [
            [
                (row.doc_id, row.source, row.title, row.content_hash, row.metadata, row.chunks)
                for row in self._fetch(tenant, _DOCUMENTS)
            ],
            [(row.doc_id, row.start_char, row.text) for row in self._fetch(tenant, _PARENTS)],
            [(row.doc_id, row.source, row.text, row.tokens, row.embedding) for row in self._fetch(tenant, _CHUNKS)],
        ]

    def _document(self, row: Any, parents: Sequence[Any], chunks: Sequence[Any]) -> list[str]:
        version = row.metadata["version"]
        given = record(int(row.doc_id[1:]), version)
        wrong = []
        if not row.chunks == row.rows == len(chunks) > 0:
            wrong.append(f"{row.chunks} chunks are counted, {row.rows} are there")
        if (row.title, row.source) != (given["title"], given["source"]) or any(
            chunk.source != row.source for chunk in chunks
        ):
            wrong.append("title or source of another version")
        if {chunk.parent_id for chunk in chunks} != {parent.parent_id for parent in parents}:
            wrong.append("chunks and parents do not belong together")
        if any(set(_VERSION.findall(each.text)) != {str(version)} for each in (*parents, *chunks)):
            wrong.append("texts of another version")
        if any(chunk.version != str(version) for chunk in chunks):
            wrong.append("metadata of another version")
        if any(_letters(*(each.text for each in rows)) != _letters(given["text"]) for rows in (parents, chunks)):
            wrong.append("the text is not whole")
        if self._hashes.setdefault((row.doc_id, version), row.content_hash) != row.content_hash:
            wrong.append("the content hash of another version")
        return wrong

    def _generation(self, tenant: str) -> list[str]:
        found = self._fetch(tenant, _GENERATIONS)
        if not found:
            return ["the generation is gone"] if self._generations.get(tenant) else []
        (row,) = found
        known = self._generations.get(tenant, 0)
        self._generations[tenant] = row.generation
        if row.generation < max(known, row.settled, row.written or 0, row.deleted or 0):
            return [f"generation {row.generation} is behind: {known} was seen, {tuple(row)} is stored"]
        return []

    def _index_state(self, tenant: str) -> str:
        state = self._app._components.dense_indexes._state(tenant)
        return "missing" if state is None else "valid" if state[0] else "invalid"

    def _fetch(self, tenant: str, query: LiteralString) -> list[Any]:
        return self._app.database.fetch(tenant, query, {})


def _letters(*texts: str) -> str:
    return "".join("".join(text.split()) for text in texts)
