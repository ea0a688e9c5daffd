import asyncio
import math
from collections.abc import Callable

import pytest

from rag_app import RagApp
from rag_app.persian import PersianAnalyzer
from rag_app.retrievers import BM25Indexes
from rag_app.retrievers.bm25 import TenantBM25Retriever
from rag_app.schema import RetrievalQuery
from rag_app.storage.chunks import ChunkTokens

CHUNKS = [
    ChunkTokens("n1", "manual", "ارسال سفارش با پست"),
    ChunkTokens("n2", "faq", "پست پیشتاز پست"),
    ChunkTokens("n3", "faq", "ساعت کار شعبه"),
]


def bm25(query: list[str], document: list[str], corpus: list[list[str]], k1: float = 1.5, b: float = 0.75) -> float:
    """Lucene's BM25, word by word, as a slow reference."""
    mean = sum(map(len, corpus)) / len(corpus)
    score = 0.0
    for word in query:
        having = sum(word in text for text in corpus)
        idf = math.log(1 + (len(corpus) - having + 0.5) / (having + 0.5))
        tf = document.count(word)
        score += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean))
    return score


def test_scores_are_those_of_the_formula() -> None:
    retriever = TenantBM25Retriever(CHUNKS, PersianAnalyzer(), similarity_top_k=15)
    corpus = [chunk.tokens.split() for chunk in CHUNKS]
    found = retriever.retrieve(RetrievalQuery("ارسال با پست", tenant="t"))
    expected = {
        chunk.node_id: bm25(["ارسال", "با", "پست"], text, corpus) for chunk, text in zip(CHUNKS, corpus, strict=True)
    }
    assert {node.node.node_id: node.score for node in found} == pytest.approx(
        {node_id: score for node_id, score in expected.items() if score > 0}, rel=1e-5
    )


@pytest.mark.parametrize("typed", ["سفارش‌ها", "سفارش ها", "سفارشها", "سفارش\u200bها"])
def test_a_half_spaced_word_is_found_however_it_is_typed(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str, typed: str
) -> None:
    app.ingest([{"id": "a", "text": "پیگیری سفارش‌ها"}, {"id": "b", "text": "ساعت کار"}], tenant=tenant)
    found = app.pipeline.retriever.legs["bm25"].retrieve(ask(typed, tenant))
    assert [node.node.metadata["doc_id"] for node in found] == ["a"]


class _Reader:
    """Counts how often a tenant's tokens are read."""

    def __init__(self, wait_s: float = 0.01, failures: int = 0) -> None:
        self.reads: list[str] = []
        self.wait_s = wait_s
        self.failures = failures

    async def atokens(self, tenant: str) -> list[ChunkTokens]:
        self.reads.append(tenant)
        await asyncio.sleep(self.wait_s)
        if len(self.reads) <= self.failures:
            raise OSError("down")
        return CHUNKS


async def test_an_index_is_built_once_for_a_generation_even_under_concurrent_queries() -> None:
    reader = _Reader()
    indexes = BM25Indexes(reader, PersianAnalyzer())  # type: ignore[arg-type]
    first, *others = await asyncio.gather(*(indexes.aget("t", 1) for _ in range(8)))
    assert all(other is first for other in others)
    assert await indexes.aget("t", 2) is not first
    assert reader.reads == ["t", "t"]


async def test_a_build_goes_on_when_its_caller_runs_out_of_time() -> None:
    reader = _Reader(wait_s=0.1)
    indexes = BM25Indexes(reader, PersianAnalyzer())  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await indexes.aget("t", 1)
    assert await indexes.aget("t", 1) is not None
    assert reader.reads == ["t"]


async def test_a_build_that_fails_is_tried_again() -> None:
    reader = _Reader(failures=1)
    indexes = BM25Indexes(reader, PersianAnalyzer())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="down"):
        await indexes.aget("t", 1)
    assert await indexes.aget("t", 1) is not None


async def test_the_least_recently_used_index_leaves_when_memory_is_full() -> None:
    reader = _Reader()
    one = TenantBM25Retriever(CHUNKS, PersianAnalyzer(), similarity_top_k=15).nbytes
    indexes = BM25Indexes(reader, PersianAnalyzer(), max_bytes=int(2.5 * one))  # type: ignore[arg-type]
    for tenant in ("a", "b", "a", "c", "a", "b"):
        await indexes.aget(tenant, 1)
        assert indexes.nbytes <= 2.5 * one
    assert reader.reads == ["a", "b", "c", "b"]
