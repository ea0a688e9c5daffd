"""The process that `crash.py` kills: documents ingested, written anew, pruned and deleted, in steps known beforehand.

It opens an application on the embedded server of a folder, says that it is ready, waits for a line that names the
tenant, and says after each step that it is done.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rag_app import RagApp
from rag_app.errors import RagAppError

DOCUMENTS = 60
SHARED = "شرایط ارسال سفارش"
State = Mapping[str, int]
"""The version of each document that is stored."""


def text(number: int, version: int) -> str:
    """Return a document's text of this version, which every sentence names."""
    choose = random.Random(number)  # noqa: S311 - nothing secret
    words = ["".join(choose.choices("ابپتجچحخدرزسشصطعفقکگلمنوهی", k=6)) for _ in range(90)]
    return "\n\n".join(
        f"{SHARED} سند {number} نسخه {version} بند {place}. "
        + " ".join(
            f"{' '.join(words[first : first + 6])} در نسخه {version} آمده است." for first in (at, at + 6, at + 12)
        )
        for place, at in enumerate(range(0, 18 * (1 + number % 5), 18))
    )


def record(number: int, version: int) -> dict[str, Any]:
    """Return a document as `RagApp.ingest` takes it."""
    return {
        "id": f"d{number}",
        "title": f"سند {number} نسخه {version}",
        "text": text(number, version),
        "source": "abc"[number % 3],
        "metadata": {"version": version},
    }


@dataclass(frozen=True)
class Step:
    """One call, and what it leaves of the state that it finds."""

    call: Callable[[RagApp, str], object]
    leaves: Callable[[State], State]


def settings(documents: int) -> dict[str, Any]:
    """Return settings by which the tenant has an index while all documents are there, and none while few are."""
    return {
        "deadline_s": 60,
        "retrieval": {"exact_limit": 5 * documents // 2, "leg_timeout_s": 50},
        "ingestion": {"batch_size": 12, "child_tokens": 48, "parent_tokens": 128},
    }


def _ingest(documents: int, version: int, *, odd: bool, prune: bool = False) -> Step:
    """Write every second document anew, or all at first; with `prune` the others are deleted."""
    numbers = [number for number in range(documents) if number % 2 == odd or version == 0]
    written = {f"d{number}": version for number in numbers}
    records = [record(number, version) for number in numbers]
    return Step(
        lambda app, tenant: app.ingest(records, tenant=tenant, prune=prune),
        lambda state: written if prune else {**state, **written},
    )


def _delete(number: int) -> Step:
    return Step(
        lambda app, tenant: app.delete(f"d{number}", tenant=tenant),
        lambda state: {doc_id: version for doc_id, version in state.items() if doc_id != f"d{number}"},
    )


def _delete_source(documents: int, source: str) -> Step:
    gone = {f"d{number}" for number in range(documents) if "abc"[number % 3] == source}
    return Step(
        lambda app, tenant: app.delete_source(source, tenant=tenant),
        lambda state: {doc_id: version for doc_id, version in state.items() if doc_id not in gone},
    )


def steps(documents: int) -> list[Step]:
    """Return the calls in their order; an index is built, dropped and built again on the way."""
    return [
        _ingest(documents, 0, odd=False),
        _ingest(documents, 1, odd=True),
        _delete(7),
        _ingest(documents, 2, odd=False, prune=True),
        _delete_source(documents, "a"),
        _delete_source(documents, "b"),
        _ingest(documents, 0, odd=False),
        _ingest(documents, 3, odd=True),
        _delete(8),
        _delete_source(documents, "c"),
        _ingest(documents, 4, odd=True),
    ]


def states(first: State, done: list[Step]) -> list[State]:
    """Return the state that is found at first, and that after each step."""
    found = [first]
    for step in done:
        found.append(step.leaves(found[-1]))
    return found


def main(data_dir: str, documents: str) -> None:
    """Do the steps, and tell so; a database that does not serve ends it."""
    with RagApp.from_config(data_dir=data_dir, **settings(int(documents))) as app:
        print("ready", flush=True)
        tenant = sys.stdin.readline().strip()
        try:
            for number, step in enumerate(steps(int(documents)), start=1):
                step.call(app, tenant)
                print(json.dumps({"done": number}), flush=True)
        except RagAppError as error:
            print(json.dumps({"failed": type(error).__name__}), flush=True)
    print(json.dumps({"ended": True}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
