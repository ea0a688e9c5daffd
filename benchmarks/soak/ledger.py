"""What the tenants must hold: every write that was acknowledged, and none that was refused for good."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingesting import record
from integrity import Integrity

from rag_app import RagApp

INSTITUTE = Path(__file__).parents[2] / "examples" / "institute"
FIRST_OWN = 1_000  # numbers of documents below are there from the start
_LARGEST, _EXPONENT = 60, 0.75


@dataclass
class Ledger:
    """The documents of each tenant by version.

    Attributes:
        before, after: the states that a tenant may be in; they differ where a write was not acknowledged.
        acknowledged: how many writes were, by kind.
    """

    before: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    after: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    acknowledged: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    closed: set[tuple[str, str]] = field(default_factory=set)
    _next: int = FIRST_OWN

    def new_document(self) -> int:
        """Return a number that no document had."""
        self._next += 1
        return self._next

    def written(self, tenant: str, doc_id: str, version: int | None, *, acknowledged: bool, kind: str) -> None:
        """Note a write; `version` None deletes. A document whose write may or may not have been done is left alone."""
        for state in (self.after[tenant], *([self.before[tenant]] if acknowledged else [])):
            if version is None:
                state.pop(doc_id, None)
            else:
                state[doc_id] = version
        if acknowledged:
            self.acknowledged[kind] += 1
        else:
            self.closed.add((tenant, doc_id))

    def own_documents(self, tenant: str) -> list[str]:
        """Return the documents that may be written anew or deleted."""
        return [doc_id for doc_id in self.before[tenant] if (tenant, doc_id) not in self.closed]

    def wrong(self, app: RagApp) -> list[str]:
        """Compare what is stored with all of this: lost, come back, torn, or without its document."""
        integrity = Integrity(app)
        return [
            f"{tenant}: {line}"
            for tenant in sorted(self.before.keys() | self.after.keys())
            for line in integrity.rows(tenant, self.before[tenant], self.after[tenant])
        ]


def sizes(tenants: int) -> list[int]:
    """Return how many documents each tenant has, the largest first, with a long tail of small ones."""
    return [max(1, round(_LARGEST / rank**_EXPONENT)) for rank in range(1, tenants + 1)]


def fill(app: RagApp, tenants: int, institute: int, ledger: Ledger) -> tuple[list[str], list[str]]:
    """Store what the tenants have at first; return those of made-up words, the largest first, and the institute's.

    Args:
        app: what stores it.
        tenants: how many there are.
        institute: how many of them hold the sample knowledge base.
        ledger: is told of the others' documents.
    """
    made_up = [f"shop-{number}" for number in range(tenants - institute)]
    for tenant, size in zip(made_up, sizes(len(made_up)), strict=True):
        app.ingest([record(number, 0) for number in range(size)], tenant=tenant)
        state = {f"d{number}": 0 for number in range(size)}
        ledger.before[tenant], ledger.after[tenant] = state, dict(state)
    real = [f"institute-{number}" for number in range(institute)]
    for tenant in real:
        app.ingest(INSTITUTE / "documents", tenant=tenant)
    return made_up, real


def chosen(tenants: Sequence[str], rng: random.Random) -> str:
    """Choose a tenant, the large ones more often."""
    return tenants[min(int(len(tenants) * rng.random() ** 2), len(tenants) - 1)]
