from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.persian import Lexicons
from rag_app.retrievers.bm25 import BM25Indexes, BM25Leg, TenantBM25Retriever, cache
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader
from tests.retrievers.bm25.memory import MemoryReader

SHARED = Lexicons()
LETTERS = "ابپتثجچحخدذرزسشص"


def reader_of(*tenants: str, **options: Any) -> MemoryReader:
    """A reader of tenants that have the same ten documents, and are at generation 10."""
    reader = MemoryReader(**options)
    for tenant in tenants:
        for number in range(10):
            reader.write(tenant, f"d{number}", [f"ارسال سفارش با پست شعبه {number}"])
    return reader


def indexes_of(reader: MemoryReader, lexicons: Lexicons = SHARED, **options: Any) -> BM25Indexes:
    return BM25Indexes(reader, lexicons, **options)  # type: ignore[arg-type]


def found(index: TenantBM25Retriever | None, question: str) -> set[str]:
    assert index is not None
    return {hit.node.node_id for hit in index.retrieve(RetrievalQuery(question, tenant="t"))}


async def rebuilt(indexes: BM25Indexes) -> None:
    """Wait until no index is being rebuilt."""
    while indexes._rebuilding:
        await asyncio.wait([*indexes._rebuilding.values()])


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five chunks are many."""
    monkeypatch.setattr(cache, "_REBUILT_CHUNKS", 5)


async def test_a_question_is_read_by_the_words_and_the_lexicon_of_its_tenant(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.yaml"
    file.write_text("tenants: {shop: {synonyms: [[توشن, شعبه]]}}", "utf-8")
    indexes = indexes_of(reader_of("shop", "other"), Lexicons(file))
    for tenant, matches in (("shop", {"شعبه": 0.8}), ("other", {})):
        reading = await indexes.aread(RetrievalQuery("توشن", tenant=tenant, generation=1))
        assert reading is not None
        assert {match: value for match, value in reading.words[0].matches.items() if value > 0.5} == matches
    nothing = indexes_of(MemoryReader())
    assert await nothing.aread(RetrievalQuery("توشن", tenant="t", generation=0)) is None


async def test_an_index_is_built_once_for_a_generation_even_under_concurrent_queries() -> None:
    reader = reader_of("t", wait_s=0.01)
    indexes = indexes_of(reader)
    first, *others = await asyncio.gather(*(indexes.aget("t", 10) for _ in range(8)))
    assert all(other is first for other in others)
    reader.write("t", "d0", ["کتاب"])
    assert await indexes.aget("t", 11) is not first
    assert reader.reads == ["t", "t"]


async def test_an_index_is_kept_as_of_the_generation_that_was_read() -> None:
    reader = reader_of("t")
    indexes = indexes_of(reader)
    first = await indexes.aget("t", 3)
    assert await indexes.aget("t", 10) is first


async def test_a_query_does_not_get_what_was_read_before_its_generation_was_written() -> None:
    reader = reader_of("t", wait_s=0.05)
    indexes = indexes_of(reader)
    early = asyncio.create_task(indexes.aget("t", 10))
    await asyncio.sleep(0.01)  # it has read, and waits
    generation = reader.write("t", "new", ["کتاب"])
    assert found(await indexes.aget("t", generation), "کتاب") == {"new-0"}
    assert found(await early, "کتاب") == set()


async def test_a_generation_that_nobody_wrote_is_not_waited_for() -> None:
    indexes = indexes_of(reader_of("t"))
    async with asyncio.timeout(5):
        assert await indexes.aget("t", 99) is not None


async def test_a_build_goes_on_when_its_caller_runs_out_of_time() -> None:
    reader = reader_of("t", wait_s=0.1)
    indexes = indexes_of(reader)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await indexes.aget("t", 10)
    assert await indexes.aget("t", 10) is not None
    assert reader.reads == ["t"]


async def test_a_build_that_fails_is_tried_again() -> None:
    indexes = indexes_of(reader_of("t", failures=1))
    with pytest.raises(OSError, match="down"):
        await indexes.aget("t", 10)
    assert await indexes.aget("t", 10) is not None


async def test_a_small_tenant_is_read_anew_after_a_write() -> None:
    reader = reader_of("t")
    indexes = indexes_of(reader)
    await indexes.aget("t", 10)
    assert found(await indexes.aget("t", reader.write("t", "d1", ["کتاب"])), "کتاب") == {"d1-0"}
    assert reader.reads == ["t", "t"]


@pytest.mark.usefixtures("large")
async def test_a_large_tenant_takes_in_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_CHANGED_SHARE", 1.0)
    reader = reader_of("t")
    indexes = indexes_of(reader)
    await indexes.aget("t", 10)
    assert found(await indexes.aget("t", reader.write("t", "d1", ["کتاب"])), "کتاب") == {"d1-0"}
    assert found(await indexes.aget("t", reader.write("t", "d2", ["کتاب"])), "کتاب") == {"d1-0", "d2-0"}
    assert found(await indexes.aget("t", reader.write("t", "d1", [])), "کتاب") == {"d2-0"}
    assert reader.reads == ["t"]
    reader.forgotten = 14
    assert found(await indexes.aget("t", reader.write("t", "d3", ["کتاب"])), "کتاب") == {"d2-0", "d3-0"}
    assert reader.reads == ["t", "t"]  # what changed could not be told any more
    for number in range(20):
        generation = reader.write("t", f"more {number}", ["کتاب"])
    index = await indexes.aget("t", generation)
    assert len(found(index, "کتاب")) == 15
    assert index is not None
    assert index.changed == 0
    assert reader.reads == ["t", "t", "t"]  # more than half of it is new
    for doc_id in list(reader._documents["t"]):
        generation = reader.write("t", doc_id, [])
    assert await indexes.aget("t", generation) is None
    assert found(await indexes.aget("t", reader.write("t", "d3", ["کتاب"])), "کتاب") == {"d3-0"}


@pytest.mark.usefixtures("large")
async def test_when_much_has_changed_the_index_is_built_anew_while_the_old_one_serves() -> None:
    reader = reader_of("t", wait_s=0.02)
    indexes = indexes_of(reader)
    await indexes.aget("t", 10)
    first = await indexes.aget("t", reader.write("t", "d1", ["کتاب"]))  # a tenth of it: a rebuild begins
    await asyncio.sleep(0.01)  # it has read
    second = await indexes.aget("t", reader.write("t", "d2", ["کتاب"]))  # and does not know this
    assert first is not None
    assert second is not None
    assert (first.changed, second.changed) == (2, 4)
    await rebuilt(indexes)
    assert reader.reads == ["t", "t"]
    last = await indexes.aget("t", 12)
    assert last is not None
    assert last.changed < second.changed
    assert found(last, "کتاب") == {"d1-0", "d2-0"}


@pytest.mark.usefixtures("large")
async def test_a_rebuild_that_fails_leaves_the_index_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    reader = reader_of("t")
    indexes = indexes_of(reader)
    await indexes.aget("t", 10)
    reader.failures = 2
    await indexes.aget("t", reader.write("t", "d1", ["کتاب"]))
    await rebuilt(indexes)
    assert "OSError" in caplog.text
    assert found(await indexes.aget("t", 11), "کتاب") == {"d1-0"}
    await indexes.aget("t", reader.write("t", "d2", ["کتاب"]))
    await rebuilt(indexes)
    index = await indexes.aget("t", 12)
    assert index is not None
    assert index.changed == 0


async def nbytes_of(tenant: str) -> int:
    indexes = indexes_of(reader_of("t"))
    await indexes.aget(tenant, 0)
    return indexes.nbytes


async def test_the_least_recently_used_index_leaves_when_memory_is_full() -> None:
    reader = reader_of(*"tuv")
    limit = int(2.5 * await nbytes_of("t"))
    indexes = indexes_of(reader, max_bytes=limit)
    for tenant in "tutvtu":
        await indexes.aget(tenant, 10)
        assert 0 < indexes.nbytes <= limit
    assert reader.reads == ["t", "u", "v", "u"]


async def test_empty_tenants_take_memory_too_and_leave_it() -> None:
    one = await nbytes_of("nobody 1")
    assert one > 0
    reader = MemoryReader()
    indexes = indexes_of(reader, max_bytes=12 * one)
    for number in range(10, 40):
        assert await indexes.aget(f"nobody {number % 100}", 0) is None
    assert 8 * one < indexes.nbytes <= 12 * one
    assert len(reader.reads) == 30
    await indexes.aget("nobody 39", 0)
    assert len(reader.reads) == 30
    await indexes.aget("nobody 10", 0)
    assert len(reader.reads) == 31


async def test_an_index_that_is_replaced_counts_once() -> None:
    reader = reader_of("t")
    indexes = indexes_of(reader)
    await indexes.aget("t", 10)
    before = indexes.nbytes
    await indexes.aget("t", reader.write("t", "d1", ["ارسال سفارش با پست شعبه 1"]))
    assert indexes.nbytes == before


async def test_words_of_questions_are_remembered_within_the_memory_that_all_tenants_share() -> None:
    limit = int(3 * await nbytes_of("t"))
    indexes = indexes_of(reader_of(*"tu"), max_bytes=limit)
    for number in range(256):
        for tenant in "tu":
            await indexes.aread(RetrievalQuery(f"پست {LETTERS[number % 16]}{LETTERS[number // 16]}", tenant=tenant))
    remembered = indexes._memory.nbytes
    assert 0.1 * limit < remembered <= 0.15 * limit
    assert remembered + indexes.nbytes <= limit


async def test_one_index_larger_than_the_limit_serves_and_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    reader = reader_of("t", "u")
    indexes = indexes_of(reader, max_bytes=1000)
    for tenant in ("t", "t", "u", "t"):
        assert found(await indexes.aget(tenant, 10), "پست")
    assert reader.reads == ["t", "u", "t"]
    (record,) = [record for record in caplog.records if record.name == cache.__name__]
    assert record.levelname == "WARNING"
    assert "retrieval.bm25_cache_mb" in record.getMessage()
    assert "پست" not in record.getMessage()


@pytest.mark.usefixtures("large")
async def test_what_was_written_is_found_whatever_else_goes_on() -> None:
    reader = reader_of(*"tuv", wait_s=0.001)
    indexes = indexes_of(reader, max_bytes=2 * await nbytes_of("t"))
    rng = random.Random(3)

    async def write_and_search(worker: int) -> None:
        for number in range(12):
            tenant = rng.choice("tuv")
            own = f"کتاب{LETTERS[worker]}گلدان{LETTERS[number]}"
            generation = reader.write(tenant, f"w{worker}", [own])
            index = await indexes.aget(tenant, generation)
            assert index is not None
            assert f"w{worker}-0" in await asyncio.to_thread(found, index, own)
            read = index.vocabulary.read(own).words[0]
            assert read.matches.get(own) == 1

    await asyncio.gather(*(write_and_search(worker) for worker in range(16)))
    await rebuilt(indexes)
    assert not indexes._refreshing
    assert not indexes._rebuilt


async def test_what_another_leg_has_begun_goes_first(app: RagApp, monkeypatch: pytest.MonkeyPatch) -> None:
    indexes = indexes_of(reader_of("t"))
    await indexes.aget("t", 10)
    order: list[str] = []

    async def query_sent() -> None:
        order.append("query sent")

    def search(index: TenantBM25Retriever, query: RetrievalQuery) -> dict[str, float]:
        order.append("search")
        return {}

    monkeypatch.setattr(TenantBM25Retriever, "search", search)
    sending = asyncio.create_task(query_sent())
    assert await BM25Leg(indexes, ChunkReader(app.database), app.loop).asearch(RetrievalQuery("پست", tenant="t")) == []
    await sending
    assert order == ["query sent", "search"]
