import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from rag_app import RagApp
from rag_app.persian import Lexicons
from rag_app.retrievers import BM25Indexes
from rag_app.retrievers.bm25 import TenantBM25Retriever
from rag_app.schema import QueryWord, Reading, RetrievalQuery
from rag_app.storage.chunks import ChunkTokens, TokenSnapshot

CHUNKS = [
    ChunkTokens("n1", "p1", "d1", "manual", "ارسال سفارش با پست"),
    ChunkTokens("n2", "p2", "d2", "faq", "پست پیشتاز پست"),
    ChunkTokens("n3", "p2", "d2", "faq", "ساعت کار شعبه"),
]
NOTES = [
    {"id": "a", "text": "شهریه کلاس‌ها را می‌توانید قسطی بپردازید"},
    {"id": "b", "text": "ارسال کتاب با پست پیشتاز"},
    {"id": "c", "text": "استرداد سفارش پس از لغو"},
]


def saturation(word: str, tokens: list[str], corpus: list[list[str]], k1: float = 1.5, b: float = 0.75) -> float:
    """What BM25 makes of a word's frequency in a text, as a slow reference."""
    mean = sum(map(len, corpus)) / len(corpus)
    tf = tokens.count(word)
    return tf / (tf + k1 * (1 - b + b * len(tokens) / mean))


def read_as(*words: QueryWord) -> RetrievalQuery:
    return RetrievalQuery("هرچه", tenant="t", reading=Reading(words, "هرچه"))


def scores(retriever: TenantBM25Retriever, query: RetrievalQuery) -> dict[str, float]:
    return {node.node.node_id: node.score or 0.0 for node in retriever.retrieve(query)}


def test_scores_are_those_of_the_formula() -> None:
    corpus = {chunk.node_id: chunk.tokens.split() for chunk in CHUNKS}
    words = [
        QueryWord("پستی", 3.0, {"پست": 0.9, "پیشتاز": 0.5}, "پست"),
        QueryWord("ارسال", 2.0, {"ارسال": 1.0, "نیست": 1.0}, "ارسال"),
        QueryWord("ساعت", 1.0, {"ساعت": 1.0}, "ساعت"),
        QueryWord("هیچ", 9.0, {}, "هیچ"),
    ]

    def held(word: QueryWord, node_id: str) -> float:
        """A word counts in a chunk by the best of its matches."""
        tokens = corpus[node_id]
        found = (value * saturation(match, tokens, [*corpus.values()]) for match, value in word.matches.items())
        return word.weight * max(found, default=0.0)

    own = {node_id: sum(held(word, node_id) for word in words) for node_id in corpus}
    siblings = {"n1": ["n1"], "n2": ["n2", "n3"], "n3": ["n2", "n3"]}
    expected = {
        node_id: own[node_id] + sum(max(held(word, other) for other in siblings[node_id]) for word in words)
        for node_id in corpus
    }
    retriever = TenantBM25Retriever(CHUNKS, similarity_top_k=15)
    assert scores(retriever, read_as(*words)) == pytest.approx(expected, rel=1e-5)


def test_a_chunk_gains_from_its_sibling_but_is_found_by_its_own_words_alone() -> None:
    tokens = ["شهریه ترم", "کلاس شنبه", "شهریه ترم", "پست سفارش", "ساعت کار"]
    parents = ["p1", "p1", "p2", "p3", "p4"]
    chunks = [ChunkTokens(f"n{n}", parents[n], parents[n], "s", text) for n, text in enumerate(tokens)]
    found = scores(TenantBM25Retriever(chunks, similarity_top_k=15), RetrievalQuery("شهریه کلاس", tenant="t"))
    assert found["n0"] > found["n2"]  # the same text, but the other word stands beside it
    assert set(found) == {"n0", "n1", "n2"}
    alone = scores(TenantBM25Retriever(chunks, similarity_top_k=15), RetrievalQuery("شهریه", tenant="t"))
    assert set(alone) == {"n0", "n2"}
    assert alone["n0"] == pytest.approx(alone["n2"])


def test_a_reading_in_the_query_is_used() -> None:
    retriever = TenantBM25Retriever(CHUNKS, similarity_top_k=15)
    assert "n3" not in scores(retriever, RetrievalQuery("پست", tenant="t"))
    query = RetrievalQuery("پست", tenant="t", reading=Reading((QueryWord("پست", 1.0, {"شعبه": 1.0}, "پست"),), "پست"))
    assert set(scores(retriever, query)) == {"n3"}


def test_a_word_said_twice_counts_once() -> None:
    retriever = TenantBM25Retriever(CHUNKS, similarity_top_k=15)
    once, twice = (scores(retriever, RetrievalQuery(text, tenant="t")) for text in ("پست", "پست پست"))
    assert once == twice != {}


def test_a_reading_without_words_finds_nothing() -> None:
    assert scores(TenantBM25Retriever(CHUNKS, similarity_top_k=15), read_as()) == {}


@pytest.mark.parametrize(
    ("typed", "doc_id"),
    [
        ("ghesti", "a"),
        ("qesty mishe?", "a"),
        ("کلاسهاتون", "a"),
        ("استراداد", "c"),
        ("esterdad", "c"),
        ("هزینه", "a"),
        ("ketabarsal پیشتتاز", "b"),
    ],
)
def test_slips_spoken_forms_latin_spellings_and_synonyms_find_the_chunk(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str, typed: str, doc_id: str
) -> None:
    app.ingest(NOTES, tenant=tenant)
    found = app.pipeline.retriever.legs["bm25"].retrieve(ask(typed, tenant))
    assert found[0].node.metadata["doc_id"] == doc_id


async def test_a_question_is_read_by_the_words_and_the_lexicon_of_its_tenant(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.yaml"
    file.write_text("tenants: {shop: {synonyms: [[توشن, شعبه]]}}", "utf-8")
    indexes = BM25Indexes(_Reader(), Lexicons(file))  # type: ignore[arg-type]
    for tenant, matches in (("shop", {"شعبه": 0.8}), ("other", {})):
        reading = await indexes.aread(RetrievalQuery("توشن", tenant=tenant, generation=1))
        assert reading is not None
        assert {match: value for match, value in reading.words[0].matches.items() if value > 0.5} == matches
    nothing = BM25Indexes(_Reader(chunks=[]), Lexicons())  # type: ignore[arg-type]
    assert await nothing.aread(RetrievalQuery("توشن", tenant="t", generation=1)) is None


@pytest.mark.parametrize("typed", ["سفارش‌ها", "سفارش ها", "سفارشها", "سفارش\u200bها"])
def test_a_half_spaced_word_is_found_however_it_is_typed(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str, typed: str
) -> None:
    app.ingest([{"id": "a", "text": "پیگیری سفارش‌ها"}, {"id": "b", "text": "ساعت کار"}], tenant=tenant)
    found = app.pipeline.retriever.legs["bm25"].retrieve(ask(typed, tenant))
    assert [node.node.metadata["doc_id"] for node in found] == ["a"]


class _Reader:
    """Counts how often a tenant's tokens are read."""

    def __init__(self, wait_s: float = 0.01, failures: int = 0, chunks: list[ChunkTokens] = CHUNKS) -> None:
        self.reads: list[str] = []
        self.wait_s = wait_s
        self.failures = failures
        self.chunks = chunks

    async def atokens(self, tenant: str) -> TokenSnapshot:
        self.reads.append(tenant)
        await asyncio.sleep(self.wait_s)
        if len(self.reads) <= self.failures:
            raise OSError("down")
        return TokenSnapshot(len(self.reads), self.chunks)


async def test_an_index_is_built_once_for_a_generation_even_under_concurrent_queries() -> None:
    reader = _Reader()
    indexes = BM25Indexes(reader, Lexicons())  # type: ignore[arg-type]
    first, *others = await asyncio.gather(*(indexes.aget("t", 1) for _ in range(8)))
    assert all(other is first for other in others)
    assert await indexes.aget("t", 2) is not first
    assert reader.reads == ["t", "t"]


async def test_a_build_goes_on_when_its_caller_runs_out_of_time() -> None:
    reader = _Reader(wait_s=0.1)
    indexes = BM25Indexes(reader, Lexicons())  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await indexes.aget("t", 1)
    assert await indexes.aget("t", 1) is not None
    assert reader.reads == ["t"]


async def test_a_build_that_fails_is_tried_again() -> None:
    reader = _Reader(failures=1)
    indexes = BM25Indexes(reader, Lexicons())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="down"):
        await indexes.aget("t", 1)
    assert await indexes.aget("t", 1) is not None


async def test_the_least_recently_used_index_leaves_when_memory_is_full() -> None:
    reader = _Reader()
    one = TenantBM25Retriever(CHUNKS, Lexicons().of("a"), similarity_top_k=15).nbytes
    indexes = BM25Indexes(reader, Lexicons(), max_bytes=int(2.5 * one))  # type: ignore[arg-type]
    for tenant in ("a", "b", "a", "c", "a", "b"):
        await indexes.aget(tenant, 1)
        assert indexes.nbytes <= 2.5 * one
    assert reader.reads == ["a", "b", "c", "b"]
