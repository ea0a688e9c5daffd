"""One call as a tenant, compared with what the model says that it has: each check returns what was wrong, in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, LiteralString

from hostile import Filters, Stored
from llama_index.core.schema import NodeWithScore
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters
from sqlalchemy import text

from rag_app import RagApp
from rag_app.filters import parse_filters
from rag_app.schema import RetrievalQuery, checked_name
from rag_app.serving import Method

Model = Mapping[str, dict[str, Stored]]
"""The documents of each tenant by id."""
SELECTS: Mapping[str, LiteralString] = {
    "documents": "SELECT tenant, doc_id FROM rag_app.documents",
    "chunks": "SELECT DISTINCT tenant, doc_id FROM rag_app.data_chunks",
    "parents": "SELECT DISTINCT tenant, doc_id FROM rag_app.parents",
}
_BUDGET = {"primary_budget": 12_000, "secondary_budget": 12_000}  # a word of 10,000 letters is never cut


@dataclass(frozen=True)
class Search:
    """Where to search and for what, and whether the filters are given as LlamaIndex's."""

    tenant: str
    question: str
    sources: tuple[str, ...] | None
    filters: Filters
    as_llama_index: bool

    def __str__(self) -> str:
        return f"{self.tenant!r:.40} sources {self.sources!r:.80} filters {self.filters!r:.160}"

    @property
    def given_filters(self) -> Any:
        """The filters as a call takes them."""
        if not self.as_llama_index:
            return {key: values[0] if len(values) == 1 else list(values) for key, values in self.filters} or None
        return MetadataFilters(
            filters=[
                MetadataFilter(key=key, value=values[0], operator=FilterOperator.EQ)
                if len(values) == 1
                else MetadataFilter(key=key, value=list(values), operator=FilterOperator.IN)
                for key, values in self.filters
            ]
        )


class Checks:
    """Calls an application and compares its answers with the model; safe from several threads while the model rests.

    Attributes:
        counts: searches that had something to find ("not empty"); those of the dense leg alone that went by an HNSW
            index ("by index"), the documents that they had to find and those that they missed, also within a pipeline.
    """

    def __init__(self, app: RagApp, model: Model) -> None:
        self.app = app
        self.counts: Counter[str] = Counter()
        self._model = model
        self._lock = Lock()

    def retrieve(self, search: Search, method: Method) -> list[str]:
        """Check a whole pipeline, what it shows and what its legs found on the way."""
        primary, *secondary = search.sources or (None,)
        result = self.app.retrieve(
            search.question,
            tenant=search.tenant,
            primary_source=primary,
            secondary_sources=[source for source in secondary if source is not None],
            filters=search.given_filters,
            method=method,
            **_BUDGET,
        )
        expected = self._expected(search)
        wrong = self._nodes(search, expected, result.nodes)
        if result.degraded or result.failure:
            wrong.append(f"degraded: {result.trace.degradations} {result.failure}")
        if bool(expected) is not bool(result.nodes):
            wrong.append(f"{len(expected)} documents pass, {len(result.nodes)} chunks are shown: {result.reason}")
        for leg in ("dense", "bm25") if method == "production_rag" else ():
            found = {chunk.doc_id for chunk in result.trace.chunks.values() if leg in chunk.legs}
            by_index = leg == "dense" and not expected.keys() <= found and self._has_index(search.tenant)
            wrong += self._complete(leg, found, expected, by_index=by_index)
        if {chunk.doc_id for chunk in result.trace.chunks.values()} - expected.keys():
            wrong.append("the trace holds documents that do not pass")
        return [f"{method} as {search}: {line}" for line in wrong]

    def leg(self, search: Search, name: str) -> list[str]:
        """Check one leg by itself, which is to find all that passes."""
        query = RetrievalQuery(
            search.question,
            tenant=checked_name("tenant", search.tenant),
            sources=search.sources,
            filters=parse_filters(search.given_filters, self.app.settings.retrieval.filter_keys),
        )
        nodes = self.app.loop.call(self._ask, name, query)
        expected = self._expected(search)
        found = {node.node.metadata["doc_id"] for node in nodes}
        by_index = name == "dense" and query.ef_search is not None
        wrong = self._nodes(search, expected, nodes) + self._complete(name, found, expected, by_index=by_index)
        return [f"{name} as {search}: {line}" for line in wrong]

    def select(self, tenant: str, table: str, *, in_loop: bool) -> list[str]:
        """Check a statement without a condition, which row-level security alone bounds, on either pool."""
        database = self.app.database
        rows = (
            self.app.loop.call(database.afetch, tenant, SELECTS[table], {})
            if in_loop
            else database.fetch(tenant, SELECTS[table], {})
        )
        found = Counter((row.tenant, row.doc_id) for row in rows)
        expected = Counter((tenant, doc_id) for doc_id in self._model.get(tenant, {}))
        return [] if found == expected else [f"{table} as {tenant!r:.40}: {_difference(found, expected)}"]

    def stats(self, tenant: str) -> list[str]:
        """Check how many documents each source is said to have."""
        found = {source: counted.documents for source, counted in self.app.stats(tenant).sources.items()}
        expected = Counter(stored.source for stored in self._model.get(tenant, {}).values())
        return [] if found == expected else [f"stats as {tenant!r:.40}: {found} and not {dict(expected)}"]

    def all_stored(self) -> list[str]:
        """Check all tenants at once, as the owner sees them."""
        with self.app.database.transaction() as connection:
            found = {table: Counter(map(tuple, connection.execute(text(SELECTS[table])))) for table in SELECTS}
        expected = Counter((tenant, doc_id) for tenant, own in self._model.items() for doc_id in own)
        return [f"{table} of all: {_difference(rows, expected)}" for table, rows in found.items() if rows != expected]

    async def _ask(self, name: str, query: RetrievalQuery) -> list[NodeWithScore]:
        pipeline = self.app.pipeline
        await pipeline.catalog.aresolve(query, await pipeline.catalog.asnapshot(query.tenant))
        return await pipeline.retriever.legs[name].aretrieve(query)

    def _has_index(self, tenant: str) -> bool:
        return self.app.stats(tenant).dense_index.kind == "hnsw"

    def _expected(self, search: Search) -> dict[str, Stored]:
        own = self._model.get(search.tenant, {})
        expected = {key: stored for key, stored in own.items() if stored.passes(search.sources, search.filters)}
        with self._lock:
            self.counts["not empty"] += bool(expected)
        return expected

    def _complete(self, leg: str, found: set[str], expected: Mapping[str, Stored], *, by_index: bool) -> list[str]:
        missed = expected.keys() - found
        if by_index:  # it may miss one in a hundred
            with self._lock:
                self.counts.update({"by index": 1, "to find by index": len(expected), "missed by index": len(missed)})
            return []
        return [f"{leg} missed {len(missed)} of {len(expected)} documents: {sorted(missed)!r:.80}"] if missed else []

    @staticmethod
    def _nodes(search: Search, expected: Mapping[str, Stored], nodes: Sequence[NodeWithScore]) -> list[str]:
        wrong = []
        for node in nodes:
            metadata, content = node.node.metadata, node.node.get_content()
            stored = expected.get(metadata["doc_id"])
            if metadata["tenant"] != search.tenant:
                wrong.append(f"a chunk of {metadata['tenant']!r:.40}")
            elif stored is None:
                wrong.append(f"a chunk of {metadata['doc_id']!r:.40}, which does not pass")
            elif content not in stored.text or metadata["source"] != stored.source or metadata["title"] != stored.title:
                wrong.append(f"a chunk of {metadata['doc_id']!r:.40} that is not what was stored: {content!r:.80}")
        return wrong


def _difference(found: Counter[Any], expected: Counter[Any]) -> str:
    return f"too much {list(found - expected)!r:.100}, missing {list(expected - found)!r:.100}"
