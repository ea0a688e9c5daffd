"""Thousands of searches, deletions and counts as hostile and look-alike tenants, compared with a model in memory.

Every document shares its words, its id, its source, its keys and its values with those of other tenants, so that any
leak shows. Answers must hold what the model says and no more; nothing may be raised but for input that can not be used,
and no trace may show that a part failed, as one does after an SQL error.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from typing import Any

from checks import SELECTS, Checks, Search
from hostile import (
    KEYS,
    NO_KEYS,
    NO_NAMES,
    NO_VALUES,
    QUESTIONS,
    SHARED,
    SOURCES,
    STRANGERS,
    TENANTS,
    VALUES,
    Stored,
    documents,
)

from rag_app import RagApp
from rag_app.errors import InvalidInputError

READS = {"production_rag": 32, "context_retriever": 18, "dense": 16, "bm25": 12, "select": 8, "stats": 4, "refused": 7}
WRITES = {"delete": 2, "delete source": 0.3, "ingest": 0.7}
LARGE = 3  # tenants that have an index of their own
_AT_ONCE = 4
Check = Callable[[], list[str]]


@dataclass
class Report:
    """What came of the trials.

    Attributes:
        trials: how many there were, by kind.
        refused: inputs that can not be used and were refused, by what was wrong.
        indexed: how many tenants got an HNSW index that may be used.
        searches: how many had something to find, and what those by an HNSW index missed.
        violations: what was wrong, a line for each.
    """

    trials: dict[str, int]
    refused: dict[str, int]
    indexed: int
    searches: dict[str, int]
    violations: list[str]


def settings(exact_limit: int = 40) -> dict[str, Any]:
    """Return settings that let no search be cut short, by number or by time, and give large tenants an index."""
    most = 1000
    retrieval = {
        "dense_top_k": most,
        "sparse_top_k": most,
        "fusion_top_k": most,
        "leg_timeout_s": 50,
        "exact_limit": exact_limit,
        "filter_keys": [*KEYS, "a\0b", "\ud800"],
    }
    return {"deadline_s": 60, "retrieval": retrieval, "rerank": {"top_k": most}}


class Isolation:
    """An application, the model of what its tenants have, and trials that compare them.

    Args:
        app: opened with `settings()`.
        large: how many documents each of the first tenants gets, which are to have an index.
        small: how many each of the others gets.
    """

    def __init__(self, app: RagApp, *, seed: int = 0, large: int = 90, small: int = 12) -> None:
        self._app = app
        self._choose = random.Random(seed)  # noqa: S311 - nothing secret
        self._sizes = {tenant: large if place < LARGE else small for place, tenant in enumerate(TENANTS)}
        self._model: dict[str, dict[str, Stored]] = {tenant: {} for tenant in TENANTS}
        self.checks = Checks(app, self._model)
        self._refused: Counter[str] = Counter()
        for tenant, size in self._sizes.items():
            self._ingest(tenant, documents(self._choose, tenant, size))
        self._indexed = sum(status.kind == "hnsw" for status in app.reindex())

    def run(self, trials: int) -> Report:
        """Do so many trials, those that only read a few at once, and compare all that is stored at the end."""
        kinds = {**READS, **WRITES}
        chosen = self._choose.choices(list(kinds), list(kinds.values()), k=trials)
        violations: list[str] = []
        waiting: list[Check] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for kind in chosen:
                if kind in WRITES or len(waiting) == 4 * _AT_ONCE:
                    violations += _done(pool.map(_caught, waiting))
                    waiting = []
                if kind in WRITES:
                    violations += _caught(self._write(kind))
                else:
                    waiting.append(self._refusal() if kind == "refused" else self._read(kind))
            violations += _done(pool.map(_caught, waiting))
        violations += self.checks.all_stored()
        return Report(dict(Counter(chosen)), dict(self._refused), self._indexed, dict(self.checks.counts), violations)

    def _ingest(self, tenant: str, given: list[Stored]) -> list[str]:
        self._model[tenant].update({stored.doc_id: stored for stored in given})
        report = self._app.ingest([stored.record for stored in given], tenant=tenant)
        return [f"skipped as {tenant!r:.40}: {entry.reason}" for entry in report.skipped]

    def _tenant(self) -> str:
        """Choose a tenant, one of the large ones more often, and now and then one that has nothing."""
        pool = self._choose.choices([TENANTS, TENANTS[:LARGE], STRANGERS], [55, 35, 10])[0]
        return self._choose.choice(pool)

    def _search(self) -> Search:
        choose, tenant = self._choose, self._tenant()
        own = list(self._model.get(tenant, {}).values())
        keys = [*(choose.choice(own).metadata if own and choose.random() < 0.7 else KEYS), "doc_id", "title"]
        sources = tuple(choose.sample([*SOURCES, choose.choice(STRANGERS)], choose.randint(1, 4)))
        filters = [
            (key, tuple(self._value(own, key) for _ in range(choose.choice([1, 1, 2, 5]))))
            for key in choose.sample(keys, choose.choice([0, 0, 1, 1, 1, 2]))
        ]
        question = choose.choices(QUESTIONS, [20, 5, 5, 1, 3, 3])[0]
        as_llama_index = bool(filters) and all(_is_llama_indexs(values) for _, values in filters)
        return Search(
            tenant,
            question,
            sources if choose.random() < 0.6 else None,
            filters,
            as_llama_index and choose.random() < 0.5,
        )

    def _value(self, own: list[Stored], key: str) -> Any:
        """Choose a value to filter by, often one that the tenant has under this key."""
        held = [stored.doc_id if key == "doc_id" else stored.metadata.get(key) for stored in own]
        known = [value for value in held if isinstance(value, str | int | float)]
        return self._choose.choice(known if known and self._choose.random() < 0.7 else VALUES)

    def _read(self, kind: str) -> Check:
        checks, search, tenant = self.checks, self._search(), self._tenant()
        table, in_loop = self._choose.choice(list(SELECTS)), self._choose.random() < 0.5
        reads: dict[str, Check] = {
            "production_rag": lambda: checks.retrieve(search, "production_rag"),
            "context_retriever": lambda: checks.retrieve(search, "context_retriever"),
            "dense": lambda: checks.leg(search, "dense"),
            "bm25": lambda: checks.leg(search, "bm25"),
            "select": lambda: checks.select(tenant, table, in_loop=in_loop),
            "stats": lambda: checks.stats(tenant),
        }
        return reads[kind]

    def _write(self, kind: str) -> Check:
        choose, tenant = self._choose, self._tenant()
        own = self._model.get(tenant, {})
        doc_id = choose.choice([*own, choose.choice(STRANGERS)])
        source = choose.choice([*SOURCES, choose.choice(STRANGERS)])
        of_source = [stored.doc_id for stored in own.values() if stored.source == source]

        def delete() -> list[str]:
            was_there = own.pop(doc_id, None) is not None
            said = self._app.delete(doc_id, tenant=tenant)
            return [] if said is was_there else [f"delete of {doc_id!r:.40} as {tenant!r:.40} said {said}"]

        def delete_source() -> list[str]:
            for each in of_source:
                del own[each]
            said = self._app.delete_source(source, tenant=tenant)
            return [] if said == len(of_source) else [f"delete_source of {source!r:.40} as {tenant!r:.40} said {said}"]

        def ingest() -> list[str]:
            """Put back what trials deleted, and write one document anew."""
            place = choose.randrange(self._sizes.get(tenant, 1))
            given = documents(choose, tenant, self._sizes[tenant]) if tenant in self._sizes else []
            new = [stored for at, stored in enumerate(given) if at == place or stored.doc_id not in own]
            return self._ingest(tenant, new) if new else []

        does = {"delete": delete, "delete source": delete_source, "ingest": ingest}[kind]
        table, in_loop = choose.choice(list(SELECTS)), choose.random() < 0.5
        return lambda: does() + self.checks.select(tenant, table, in_loop=in_loop)

    def _refusal(self) -> Check:
        choose, app = self._choose, self._app
        tenant, method = choose.choice(TENANTS), choose.choice(["production_rag", "context_retriever"])
        name, key, value = choose.choice(NO_NAMES), choose.choice(NO_KEYS), choose.choice(NO_VALUES)
        allowed, spoilt = choose.choice(KEYS), choose.choice(_SPOILT)

        def ask(**arguments: Any) -> object:
            return app.retrieve(SHARED, **{"tenant": tenant, "method": method, **arguments})

        calls: dict[str, Callable[[], object]] = {
            "tenant of retrieve": lambda: ask(tenant=name),
            "tenant of ingest": lambda: app.ingest([{"id": "x", "text": SHARED}], tenant=name),
            "tenant of delete": lambda: app.delete("x", tenant=name),
            "tenant of delete_source": lambda: app.delete_source("manual", tenant=name),
            "tenant of delete_tenant": lambda: app.delete_tenant(name),
            "tenant of stats": lambda: app.stats(name),
            "document id of delete": lambda: app.delete(name, tenant=tenant),
            "source of delete_source": lambda: app.delete_source(name, tenant=tenant),
            "source of retrieve": lambda: ask(primary_source=0 if name is None else name),
            "further source of retrieve": lambda: ask(primary_source="manual", secondary_sources=[name]),
            "filter key": lambda: ask(filters={key: "acme"}),
            "filter value": lambda: ask(filters={allowed: value}),
            "document": lambda: self._skipped(tenant, spoilt),
        }
        what = choose.choice(list(calls))

        def refuse() -> list[str]:
            try:
                calls[what]()
            except InvalidInputError:
                self._refused[what] += 1
                return []
            return [f"not refused: {what} of {_SPOILT.index(spoilt)}, {type(name)}, {type(key)} or {type(value)}"]

        return refuse

    def _skipped(self, tenant: str, spoilt: dict[str, Any]) -> None:
        record = {"id": "spoilt", "text": SHARED, "source": "manual", **spoilt}
        report = self._app.ingest([record], tenant=tenant)
        if len(report.skipped) == 1 and report.added + report.updated == 0:
            raise InvalidInputError(report.skipped[0].reason)


_SPOILT: list[dict[str, Any]] = [
    {"id": "x" * 10_000},
    {"id": "a\0b"},
    {"text": f"{SHARED} \0"},
    {"title": "\ud800"},
    {"source": "a\nb"},
    {"metadata": {"brand": "\0"}},
    {"metadata": {"\0": "brand"}},
    {"metadata": {"brand": 10**5000}},
]


def _is_llama_indexs(values: tuple[Any, ...]) -> bool:
    """Tell whether MetadataFilter takes these values: no booleans, and lists of one type."""
    return {type(value) for value in values} in ({str}, {int}, {float})


def _caught(check: Check) -> list[str]:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever escapes is what is looked for
        return [f"{type(error).__name__} escaped: {error!s:.200}"]


def _done(found: Iterable[list[str]]) -> list[str]:
    return [line for lines in found for line in lines]


def main() -> None:
    """Do the trials, print the report, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", help="where the embedded database is; a temporary folder if not given")
    given = parser.parse_args()
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        RagApp.from_config(data_dir=given.data_dir or folder, **settings()) as app,
    ):
        report = Isolation(app, seed=given.seed).run(given.trials)
    print(json.dumps({**asdict(report), "violations": report.violations[:50]}, indent=2, ensure_ascii=False))
    if report.violations:
        sys.exit(f"{len(report.violations)} violations")


if __name__ == "__main__":
    main()
