"""Any sequence of writes and questions, over two tenants and two processes, against a model in memory."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.neighbour import Neighbour

SETTINGS: dict[str, Any] = {
    "deadline_s": 60,
    "retrieval": {
        "dense_top_k": 500,
        "sparse_top_k": 500,
        "fusion_top_k": 500,
        "leg_timeout_s": 50,
        "filter_keys": ["brand", "size"],
    },
    "rerank": {"top_k": 500},
    "ingestion": {"child_tokens": 12, "parent_tokens": 24},  # a few sentences make several chunks and parents
}
SHARED = "پرسش"  # a word of every sentence of every document
DOC_IDS = ("d0", "d1", "d2", "d3", "d 1")
SOURCES = ("manual", "faq", "website")
BRANDS = ("acme", "Acme", "123", 123, True)
_BUDGET = {"primary_budget": 20_000, "secondary_budget": 20_000}
_LETTERS = "بپتجچخدرزسشفکگل"
_random = random.Random(7)
# Words that are like no other, with an end that is no ending; those of a document are no other's, of which it could be
# taken for a duplicate.
WORDS = {doc_id: ["".join(_random.choices(_LETTERS, k=7)) + "ق" for _ in range(8)] for doc_id in DOC_IDS}
_numbers = itertools.count()


@dataclass(frozen=True)
class Stored:
    """A document as it was given: a sentence for each of its words."""

    doc_id: str
    words: tuple[str, ...]
    source: str
    brand: str | int

    @property
    def text(self) -> str:
        sentences = (f"{SHARED} {word} {word[::-1]} {place} {self.doc_id}." for place, word in enumerate(self.words))
        return " ".join(sentences)

    @property
    def record(self) -> dict[str, Any]:
        return {
            "id": self.doc_id,
            "title": self.words[0],
            "text": self.text,
            "source": self.source,
            "metadata": {"brand": self.brand, "size": len(self.words)},
        }

    def passes(self, sources: Collection[str] | None, filters: Mapping[str, Sequence[Any]]) -> bool:
        fields = {"brand": self.brand, "size": len(self.words), "doc_id": self.doc_id}
        return (sources is None or self.source in sources) and all(
            any((type(value), value) == (type(fields[key]), fields[key]) for value in values)
            for key, values in filters.items()
        )


class Search(NamedTuple):
    """What a question is bounded by."""

    sources: tuple[str, ...] | None = None
    filters: Mapping[str, Sequence[Any]] = {}

    @property
    def options(self) -> dict[str, Any]:
        primary, *secondary = self.sources or (None,)
        return {"primary_source": primary, "secondary_sources": secondary, "filters": dict(self.filters), **_BUDGET}


documents = st.sampled_from(DOC_IDS).flatmap(
    lambda doc_id: st.builds(
        Stored,
        doc_id=st.just(doc_id),
        words=st.lists(st.sampled_from(WORDS[doc_id]), min_size=1, max_size=3, unique=True).map(tuple),
        source=st.sampled_from(SOURCES),
        brand=st.sampled_from(BRANDS),
    )
)
batches = st.lists(documents, min_size=1, max_size=4, unique_by=lambda stored: stored.doc_id)
tenants, processes = st.integers(0, 1), st.integers(0, 1)
searches = st.builds(
    Search,
    sources=st.none() | st.lists(st.sampled_from(SOURCES), min_size=1, max_size=2, unique=True).map(tuple),
    filters=st.fixed_dictionaries(
        {},
        optional={
            "brand": st.lists(st.sampled_from(BRANDS), min_size=1, max_size=2),
            "size": st.lists(st.integers(0, 3), min_size=1, max_size=2),
            "doc_id": st.lists(st.sampled_from(DOC_IDS), min_size=1, max_size=3),
        },
    ),
)


class TwoProcesses(RuleBasedStateMachine):
    """Each rule does one thing in one process; after a write the other one must see all of it at once.

    Attributes:
        calls: what does a call of `tests.neighbour` here.
        neighbour: what does so in the other process.
        made: how often each call was made and its answer compared, in all examples.
    """

    calls: ClassVar[Callable[..., Any]]
    neighbour: ClassVar[Neighbour]
    made: ClassVar[Counter[str]] = Counter()

    @initialize()
    def name_tenants(self) -> None:
        """Name them anew, for the database is kept; they look alike, one with Persian and one with Arabic letters."""
        number = next(_numbers)
        self.names = (f"علی {number}", f"علي {number}")
        self.model: tuple[dict[str, Stored], ...] = ({}, {})
        self.told: set[str] = set()  # every word that any document ever had

    @rule(process=processes, tenant=tenants, given=batches)
    def ingest(self, process: int, tenant: int, given: list[Stored]) -> None:
        expected = self._counted(tenant, given)
        self._put(tenant, given)
        report = self._does(process, "ingest", [stored.record for stored in given], tenant=self.names[tenant])
        self._reports(report, expected)
        self._sees(1 - process, tenant)

    @rule(process=processes, tenant=tenants, given=batches, source=st.none() | st.sampled_from(SOURCES))
    def prune(self, process: int, tenant: int, given: list[Stored], source: str | None) -> None:
        own = self.model[tenant]
        expected = self._counted(tenant, given)
        self._put(tenant, given)
        kept = {stored.doc_id for stored in given}
        gone = [key for key, stored in own.items() if key not in kept and source in (None, stored.source)]
        for doc_id in gone:
            del own[doc_id]
        records = [stored.record for stored in given]
        report = self._does(process, "ingest", records, tenant=self.names[tenant], source=source, prune=True)
        self._reports(report, {**expected, "deleted": len(gone)})
        self._sees(1 - process, tenant)

    @rule(tenant=tenants, mine=batches, others=batches)
    def ingest_in_both(self, tenant: int, mine: list[Stored], others: list[Stored]) -> None:
        """Both write at once, to tenants of their own or other documents of the same."""
        theirs = 1 - tenant if {s.doc_id for s in mine} & {s.doc_id for s in others} else tenant
        expected = self._counted(tenant, mine), self._counted(theirs, others)
        self._put(tenant, mine)
        self._put(theirs, others)
        self.neighbour.tell("ingest", [stored.record for stored in others], tenant=self.names[theirs])
        self._reports(
            self._does(0, "ingest", [stored.record for stored in mine], tenant=self.names[tenant]), expected[0]
        )
        self._reports(self.neighbour.answer(), expected[1])
        for process, seen in itertools.product((0, 1), {tenant, theirs}):
            self._sees(process, seen)

    @rule(process=processes, tenant=tenants, doc_id=st.sampled_from(DOC_IDS))
    def delete(self, process: int, tenant: int, doc_id: str) -> None:
        was_there = self.model[tenant].pop(doc_id, None) is not None
        assert self._does(process, "delete", doc_id, tenant=self.names[tenant]) is was_there
        self._sees(1 - process, tenant)

    @rule(process=processes, tenant=tenants, source=st.sampled_from(SOURCES))
    def delete_source(self, process: int, tenant: int, source: str) -> None:
        own = self.model[tenant]
        gone = [doc_id for doc_id, stored in own.items() if stored.source == source]
        for doc_id in gone:
            del own[doc_id]
        assert self._does(process, "delete_source", source, tenant=self.names[tenant]) == len(gone)
        self._sees(1 - process, tenant)

    @rule(process=processes, tenant=tenants)
    def delete_tenant(self, process: int, tenant: int) -> None:
        had = len(self.model[tenant])
        self.model[tenant].clear()
        assert self._does(process, "delete_tenant", self.names[tenant]) == had
        self._sees(1 - process, tenant)

    @rule(process=processes, tenant=tenants, search=searches, choice=st.randoms(use_true_random=False))
    def ask(self, process: int, tenant: int, search: Search, choice: random.Random) -> None:
        """Ask for a word that some document of any tenant has, or had before it was updated or deleted."""
        word = choice.choice(sorted(self.told)) if self.told else SHARED
        self._finds(process, tenant, word, search)
        self._finds(process, tenant, SHARED, search)

    @rule(process=processes, tenant=tenants, source=st.none() | st.sampled_from(SOURCES))
    def count(self, process: int, tenant: int, source: str | None) -> None:
        own = self.model[tenant].values()
        counted = self._does(process, "counts", self.names[tenant])
        assert {name: each["documents"] for name, each in counted.items()} == Counter(stored.source for stored in own)
        assert all(each["chunks"] >= each["documents"] for each in counted.values())
        listed = self._does(process, "listed", self.names[tenant], source)
        assert listed == sorted(stored.doc_id for stored in own if source in (None, stored.source))

    def _does(self, process: int, name: str, *given: Any, **options: Any) -> Any:
        note(f"process {process}: {name} {json.dumps([given, options], ensure_ascii=False)}")
        self.made[name] += 1
        return (self.calls if process == 0 else self.neighbour.ask)(name, *given, **options)

    def _put(self, tenant: int, given: Iterable[Stored]) -> None:
        for stored in given:
            self.model[tenant][stored.doc_id] = stored
            self.told.update(stored.words)

    def _counted(self, tenant: int, given: Iterable[Stored]) -> dict[str, int]:
        known = self.model[tenant]
        outcomes = Counter(
            "added" if stored.doc_id not in known else "unchanged" if known[stored.doc_id] == stored else "updated"
            for stored in given
        )
        return {name: outcomes[name] for name in ("added", "updated", "unchanged")} | {"deleted": 0}

    def _reports(self, report: Mapping[str, Any], expected: Mapping[str, int]) -> None:
        assert {name: report[name] for name in expected} == expected
        assert list(report["skipped"]) == []

    def _sees(self, process: int, tenant: int) -> None:
        """Check that a process finds all that the tenant has, and each document by its words."""
        self._finds(process, tenant, SHARED, Search())
        own = self.model[tenant].values()
        for word in sorted({stored.words[-1] for stored in own})[:2]:
            self._finds(process, tenant, word, Search())

    def _finds(self, process: int, tenant: int, question: str, search: Search) -> None:
        found = self._does(process, "search", question, self.names[tenant], **search.options)
        passing = {key: each for key, each in self.model[tenant].items() if each.passes(*search)}
        right = sorted(key for key, each in passing.items() if question == SHARED or question in each.words)
        assert found["failed"] == []
        assert found["bm25"] == right
        assert set(right) <= set(found["dense"]) <= passing.keys()
        shown = {chunk["doc_id"] for chunk in found["shown"]}
        assert set(right) <= shown <= passing.keys()
        for chunk in found["shown"]:
            stored = passing[chunk["doc_id"]]
            assert chunk["tenant"] == self.names[tenant]
            assert (chunk["source"], chunk["title"]) == (stored.source, stored.words[0])
            assert chunk["content"] in stored.text
