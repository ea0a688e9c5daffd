"""Several threads and processes on one tenant: what was written is found by all at once, and nothing is lost."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, NamedTuple

import pytest
from sqlalchemy import event, text

from rag_app import RagApp
from rag_app.schema import RetrievalResult
from rag_app.storage import Database, DocumentWriter
from tests.neighbour import SETTINGS, Neighbour, legs

QUESTION = "شرایط ارسال سفارش"


@pytest.fixture(scope="module")
def mine(url: str) -> Iterator[RagApp]:
    with RagApp.from_config(database={"url": url}, **SETTINGS) as opened:
        yield opened


@pytest.fixture(scope="module")
def other(url: str, mine: RagApp) -> Iterator[Neighbour]:
    with Neighbour(url) as process:
        yield process


def record(doc_id: str, version: int = 0, source: str = "manual") -> dict[str, Any]:
    paragraphs = [f"{QUESTION} سند {doc_id} نسخه {version} بند {place}." for place in range(3)]
    return {
        "id": doc_id,
        "title": f"سند نسخه {version}",
        "text": "\n\n".join(paragraphs),
        "source": source,
        "metadata": {"version": version},
    }


def found_by_both(*doc_ids: str) -> dict[str, list[str]]:
    return {"dense": sorted(doc_ids), "bm25": sorted(doc_ids), "failed": []}


def test_what_one_process_writes_or_deletes_the_next_question_of_the_other_sees(
    mine: RagApp, other: Neighbour, tenant: str
) -> None:
    """Each round one of them writes, in turn, and the other asks at once."""

    def i_see() -> dict[str, list[str]]:
        return legs(mine, QUESTION, tenant)

    def it_sees() -> dict[str, list[str]]:
        seen: dict[str, list[str]] = other.ask("legs", QUESTION, tenant)
        return seen

    def it_does(method: str, *given: Any, **options: Any) -> object:
        return other.ask(method, *given, **options, tenant=tenant)

    def i_do(method: str, *given: Any, **options: Any) -> object:
        return getattr(mine, method)(*given, **options, tenant=tenant)

    for round_ in range(8):
        do, sees = (it_does, i_see) if round_ % 2 == 0 else (i_do, it_sees)
        do("ingest", [record("a"), record("b", source="faq"), record("c", source="faq"), record("d")])
        assert sees() == found_by_both("a", "b", "c", "d")
        do("delete", "a")
        assert sees() == found_by_both("b", "c", "d")
        do("ingest", [record("a", round_ + 1), record("e", source="faq")])
        assert sees() == found_by_both("a", "b", "c", "d", "e")
        do("ingest", [record("e", source="faq"), record("b", source="faq")], source="faq", prune=True)
        assert sees() == found_by_both("a", "b", "d", "e")
        do("delete_source", "manual")
        assert sees() == found_by_both("b", "e")
        do("ingest", [record("f")])
        assert sees() == found_by_both("b", "e", "f")
        do("delete_tenant")
        assert sees() == found_by_both()


def test_a_document_written_by_both_processes_at_once_is_that_of_one_of_them(
    mine: RagApp, other: Neighbour, tenant: str
) -> None:
    doc_ids = [f"d{number}" for number in range(12)]
    for round_ in range(6):
        other.tell("ingest", [record(doc_id, 2 * round_) for doc_id in doc_ids], tenant=tenant)
        mine.ingest([record(doc_id, 2 * round_ + 1) for doc_id in reversed(doc_ids)], tenant=tenant)
        assert other.answer()["skipped"] == []
        result = mine.retrieve(QUESTION, tenant=tenant)
        assert not result.degraded
        assert {version_of(node) for node in result.nodes} <= {2 * round_, 2 * round_ + 1}
        assert legs(mine, QUESTION, tenant) == other.ask("legs", QUESTION, tenant) == found_by_both(*doc_ids)


def version_of(node: Any) -> int:
    """Return the version that a chunk names, which must be one."""
    named = {line.split("نسخه ")[1].split()[0] for line in node.node.get_content().splitlines() if "نسخه" in line}
    (version,) = named | {str(node.node.metadata["version"])}
    return int(version)


def test_prune_leaves_what_others_write_meanwhile(mine: RagApp, other: Neighbour, tenant: str) -> None:
    mine.ingest([record("old"), record("kept"), record("renewed")], tenant=tenant)

    def items() -> Iterator[dict[str, Any]]:
        yield record("kept")
        other.ask("ingest", [record("new"), record("renewed", 1)], tenant=tenant)

    assert mine.ingest(items(), tenant=tenant, prune=True).deleted == 1
    assert legs(mine, QUESTION, tenant) == found_by_both("kept", "new", "renewed")
    assert mine.ingest([record("kept")], tenant=tenant, prune=True).deleted == 2


def test_a_tenant_deleted_during_an_ingestion_keeps_what_is_written_after(
    mine: RagApp, other: Neighbour, tenant: str
) -> None:
    batch = mine.settings.ingestion.batch_size

    def items() -> Iterator[dict[str, Any]]:
        for number in range(batch + 2):
            if number == batch + 1:
                while mine.stats(tenant).documents < batch:  # it is written while this is read
                    time.sleep(0.01)
                assert other.ask("delete_tenant", tenant) == batch
            yield record(f"d{number}")

    assert mine.ingest(items(), tenant=tenant).added == batch + 2
    left = [f"d{batch}", f"d{batch + 1}"]
    assert legs(mine, QUESTION, tenant) == other.ask("legs", QUESTION, tenant) == found_by_both(*left)
    assert mine.ingest([record(f"d{number}") for number in range(4)], tenant=tenant).added == 4


def test_a_delete_before_the_first_write_waits_for_nobody_in_a_circle(mine: RagApp, tenant: str) -> None:
    """Without a turn it must not delete what was written since: its rows would be held while it waits for the turn."""
    own = Database(mine.database.url.render_as_string(hide_password=False))
    first: list[str] = []

    def write_once(*_: Any) -> None:
        if "FOR UPDATE" in _[2] and not first:
            first.append("written")
            mine.ingest([record("d")], tenant=tenant)

    event.listen(own.engine, "after_cursor_execute", write_once)
    assert not DocumentWriter(own).delete(tenant, "d")
    own.engine.dispose()
    assert first
    assert legs(mine, QUESTION, tenant) == found_by_both("d")


class Call(NamedTuple):
    """A write or deletion (None) of a document, and when it ran."""

    doc_id: str
    version: int | None
    began: float
    ended: float


def could_be_last(calls: list[Call]) -> set[int | None]:
    """Return the versions that may be left: those of calls that no later call followed."""
    return {call.version for call in calls if not any(other.began > call.ended for other in calls)}


def test_sixteen_threads_on_one_tenant_lose_nothing_and_tear_nothing(mine: RagApp, tenant: str, url: str) -> None:
    doc_ids = [f"d{number}" for number in range(10)]
    stop = Event()
    mine.ingest([record(doc_id, 1) for doc_id in doc_ids], tenant=tenant)

    def write(thread: int) -> list[Call]:
        choose, calls, version = random.Random(thread), [], 1000 * (thread + 1)
        while not stop.is_set():
            chosen = choose.sample(doc_ids, choose.choice([1, 1, 3, 6]))
            began = time.monotonic()
            if choose.random() < 0.3:
                mine.delete(chosen[0], tenant=tenant)
                calls.append(Call(chosen[0], None, began, time.monotonic()))
                continue
            version += 1
            report = mine.ingest([record(doc_id, version) for doc_id in chosen], tenant=tenant)
            assert report.skipped == ()
            calls += [Call(doc_id, version, began, time.monotonic()) for doc_id in chosen]
        return calls

    def read(_: int) -> list[RetrievalResult]:
        results = []
        while not stop.is_set():
            results.append(mine.retrieve(QUESTION, tenant=tenant))
        return results

    with ThreadPoolExecutor(16) as pool:
        writers, readers = [pool.submit(write, number) for number in range(8)], [pool.submit(read, n) for n in range(8)]
        time.sleep(4)
        stop.set()
        calls = [call for writer in writers for call in writer.result()]
        results = [result for reader in readers for result in reader.result()]
    assert len(calls) > 100
    assert len(results) > 50
    assert [entry for result in results for entry in result.trace.degradations] == []
    for result in results:
        assert {node.node.metadata["tenant"] for node in result.nodes} <= {tenant}
        for node in result.nodes:
            version_of(node)

    by_document: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_document[call.doc_id].append(call)
    with mine.database.transaction(tenant) as connection:
        stored = dict(map(tuple, connection.execute(text("SELECT doc_id, metadata FROM rag_app.documents"))))
        chunks = connection.execute(
            text("SELECT doc_id, metadata_ ->> 'version', text FROM rag_app.data_chunks ORDER BY id")
        ).all()
        deadlocks = connection.scalar(text("SELECT sum(deadlocks) FROM pg_stat_database"))
    assert deadlocks == 0
    for doc_id, own in by_document.items():
        version = stored[doc_id]["version"] if doc_id in stored else None
        assert version in could_be_last(own)
        texts = [(chunk_version, chunk) for chunk_doc_id, chunk_version, chunk in chunks if chunk_doc_id == doc_id]
        assert {chunk_version for chunk_version, _ in texts} == ({str(version)} if doc_id in stored else set())
        expected = record(doc_id, version)["text"].split() if version is not None else []
        assert " ".join(chunk for _, chunk in texts).split() == expected

    with RagApp.from_config(database={"url": url}, **SETTINGS) as fresh:
        kept, read_anew = (
            [
                (node.node.node_id, node.node.get_content(), node.score)
                for node in app.retrieve(QUESTION, tenant=tenant).nodes
            ]
            for app in (mine, fresh)
        )
        assert kept == read_anew
        assert legs(mine, QUESTION, tenant) == legs(fresh, QUESTION, tenant) == found_by_both(*stored)
