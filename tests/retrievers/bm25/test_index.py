from __future__ import annotations

import subprocess
import sys

import bm25s
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian import Lexicons
from rag_app.retrievers.bm25 import TenantBM25Retriever
from rag_app.schema import QueryWord, Reading, RetrievalQuery
from rag_app.storage.chunks import ChunkTokens, TokenChanges
from tests.retrievers.bm25.memory import MemoryReader, chunk

CHUNKS = [
    ChunkTokens("n1", "p1", "d1", "manual", "ارسال سفارش با پست"),
    ChunkTokens("n2", "p2", "d2", "faq", "پست پیشتاز پست"),
    ChunkTokens("n3", "p2", "d2", "faq", "ساعت کار شعبه"),
]
LEXICON = Lexicons().of("t")


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


def test_a_question_that_was_read_before_a_write_is_searched_after_it() -> None:
    before = TenantBM25Retriever([chunk("d1", "استرداد شهریه"), chunk("d2", "ارسال پست")], similarity_top_k=15)
    after = TenantBM25Retriever([chunk("d3", "پست شهریه ترم"), chunk("d1", "استرداد شهریه")], similarity_top_k=15)
    read = before.vocabulary.read("شهریه پست ارسال")
    spelt_out = [QueryWord(word.typed, word.weight, dict(word.matches), word.meant) for word in read.words]
    found = scores(after, RetrievalQuery("هرچه", tenant="t", reading=read))
    assert found == scores(after, read_as(*spelt_out))
    assert len(found) == 2


def test_a_word_said_twice_counts_once() -> None:
    retriever = TenantBM25Retriever(CHUNKS, similarity_top_k=15)
    once, twice = (scores(retriever, RetrievalQuery(text, tenant="t")) for text in ("پست", "پست پست"))
    assert once == twice != {}


def test_a_reading_without_words_finds_nothing() -> None:
    assert scores(TenantBM25Retriever(CHUNKS, similarity_top_k=15), read_as()) == {}


def test_it_holds_what_bm25s_makes_of_the_tokens() -> None:
    stock = bm25s.BM25()
    stock.index([chunk.tokens.split() for chunk in CHUNKS], show_progress=False)
    ours = TenantBM25Retriever(CHUNKS, LEXICON, similarity_top_k=15).bm25
    for words in (["پست"], ["ارسال", "شعبه"]):
        assert ours.get_scores(words) == pytest.approx(stock.get_scores(words), rel=1e-6)
    assert ours.vocab_dict["پست"] in ours.unique_token_ids_set


def changed(chunks: list[ChunkTokens], doc_ids: set[str]) -> TokenChanges:
    return TokenChanges(2, chunks, frozenset(doc_ids))


def test_filters_hold_for_what_was_there_and_for_what_is_new() -> None:
    whole = TenantBM25Retriever(CHUNKS, LEXICON, similarity_top_k=15)
    index = whole.with_changes(changed([chunk("d3", "پست", "manual"), chunk("d4", "پست", "faq")], {"d3", "d4"}))
    assert index is not None
    for sources, doc_ids, expected in [
        (None, None, {"n1", "n2", "d3-0", "d4-0"}),
        (("faq",), None, {"n2", "d4-0"}),
        (("nothing",), None, set()),
        (None, frozenset({"d1", "d4", "no such"}), {"n1", "d4-0"}),
        (None, frozenset[str](), set()),
        (("manual",), frozenset({"d1", "d4"}), {"n1"}),
    ]:
        query = RetrievalQuery("پست", tenant="t", sources=sources, doc_ids=doc_ids)
        assert {node_id for node_id in scores(index, query) if node_id != "n3"} == expected


def test_a_word_is_read_as_itself_from_when_it_is_written_until_it_is_gone() -> None:
    whole = TenantBM25Retriever(CHUNKS, LEXICON, similarity_top_k=15)
    index = whole.with_changes(changed([chunk("d2", "تپانچه قدیمی")], {"d2"}))
    assert index is not None
    assert index.vocabulary.read("تپانچه").words[0].matches["تپانچه"] == 1
    assert list(scores(index, RetrievalQuery("تپانچه", tenant="t"))) == ["d2-0"]
    assert "پیشتاز" not in index.vocabulary.read("پیشتاز").words[0].matches  # of d2 as it was
    assert "تپانچه" not in whole.vocabulary.read("تپانچه").words[0].matches  # no index changes
    assert whole.with_changes(changed([], {"d1", "d2"})) is None


def test_a_slip_that_only_a_deleted_document_held_is_a_slip_again() -> None:
    chunks = [chunk("d1", "استرداد"), chunk("d2", "استرداذ")]
    whole = TenantBM25Retriever(chunks, LEXICON, similarity_top_k=15)
    index = whole.with_changes(changed([], {"d2"}))
    assert index is not None
    assert whole.vocabulary.read("استرداذ").words[0].meant == "استرداذ"
    assert index.vocabulary.read("استرداذ").words[0].meant == "استرداد"


def test_what_is_equally_good_does_not_depend_on_when_it_was_written() -> None:
    letters = "ابپتثجچحخدذرزژسشصضطظ"
    texts = [f"قسط{one}{two}" for one in letters for two in letters]
    chunks = [chunk(f"d{number}", text) for number, text in enumerate(texts)]
    index = TenantBM25Retriever(chunks[200:], LEXICON, similarity_top_k=15).with_changes(changed(chunks[:200], set()))
    anew = TenantBM25Retriever(chunks, LEXICON, similarity_top_k=15)
    assert index is not None
    for question in ("قسط", "ghest", "ghestagh", *(f"قسط{letter}ق" for letter in letters)):
        read, expected = index.vocabulary.read(question), anew.vocabulary.read(question)
        assert read == expected
        assert list(read.words[0].matches) == list(expected.words[0].matches)


def test_more_chunks_than_there_were_are_found() -> None:
    index = TenantBM25Retriever(CHUNKS[:1], LEXICON, similarity_top_k=15)
    many = index.with_changes(changed([chunk(f"d{n}", "پست") for n in range(20)], set()))
    assert many is not None
    assert len(scores(many, RetrievalQuery("پست", tenant="t"))) == 15


def test_of_equal_chunks_the_first_are_found() -> None:
    chunks = [chunk(f"d{n:02d}", "پست شعبه") for n in range(30)]
    found = scores(TenantBM25Retriever(chunks, LEXICON, similarity_top_k=7), RetrievalQuery("پست", tenant="t"))
    assert list(found) == [f"d{n:02d}-0" for n in range(7)]


def test_chunks_without_words_are_an_index_too() -> None:
    index = TenantBM25Retriever([chunk("a", ""), chunk("b", "")], LEXICON, similarity_top_k=15)
    assert scores(index, RetrievalQuery("پست", tenant="t")) == {}


WORDS = ["ارسال", "پست", "پیشتاز", "قسطی", "شهریه", "شهریار", "کتاب", "کتابها"]
WORDS += ["ثبت", "نام", "ثبتنام", "1250", "book", "books", "میشود", "شدند", "هزینه"]
QUESTIONS = ["ارسال پسط", "ghesti", "ketab ha", "کتابهاشون", "ثبت نام", "هزبنه", "1250", "books please", "شهریهه میشه"]
# Of one length each, so that the mean length of a part is that of all.
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=3, max_size=3).map(" ".join), min_size=1, max_size=3)
WRITES = st.lists(st.tuples(st.sampled_from("abcdef"), st.one_of(st.just([]), TEXTS)), max_size=8)


@given(WRITES, WRITES)
@settings(max_examples=60)
def test_with_changes_it_reads_and_finds_what_one_built_anew_does(
    before: list[tuple[str, list[str]]], after: list[tuple[str, list[str]]]
) -> None:
    reader = MemoryReader()
    reader.write("t", "kept", ["پست پیشتاز شعبه"])
    for doc_id, texts in before:
        reader.write("t", doc_id, texts)
    whole = TenantBM25Retriever(reader.snapshot("t").chunks, LEXICON, similarity_top_k=50)
    since = reader.snapshot("t").generation
    for doc_id, texts in after:
        reader.write("t", doc_id, texts)
    changes = reader.changes("t", since)
    assert changes is not None
    index = whole.with_changes(changes)
    anew = TenantBM25Retriever(reader.snapshot("t").chunks, LEXICON, similarity_top_k=50)
    assert index is not None
    assert len(index) == len(anew)
    for question in QUESTIONS:
        assert index.vocabulary.read(question) == anew.vocabulary.read(question)
        query = RetrievalQuery(question, tenant="t")
        found, expected = scores(index, query), scores(anew, query)
        assert found == pytest.approx(expected, rel=1e-5)
        assert sorted(found.values(), reverse=True) == list(found.values())


# Prints what an index of so many chunks holds by its own account and by Python's, built whole and then changed. In a
# process of its own, where no other thread makes anything meanwhile; the first index is for what is loaded once.
BYTES = """
import gc, sys, tracemalloc
import numpy as np
from rag_app.retrievers.bm25 import TenantBM25Retriever
from tests.retrievers.bm25.test_index import LEXICON, changed, chunk

def chunks_of(count):
    rng = np.random.default_rng(count)
    letters = list("ابپتسشکگلمنوهی")
    words = ["".join(rng.choice(letters, size=rng.integers(2, 9))) for _ in range(5 * count + 50)]
    return [chunk(f"doc {n}", " ".join(rng.choice(words, size=40))) for n in range(count)]

LEXICON.words.find(["پست"])
first = TenantBM25Retriever(chunks_of(10), LEXICON, similarity_top_k=15)
first.with_changes(changed(chunks_of(10), {"doc 1"}))
for count in map(int, sys.argv[1:]):
    chunks = chunks_of(count)
    gc.collect()
    tracemalloc.start()
    index = TenantBM25Retriever(chunks, LEXICON, similarity_top_k=15)
    gc.collect()
    print(index.nbytes, tracemalloc.get_traced_memory()[0])
    index = index.with_changes(changed(chunks, {each.doc_id for each in chunks}))
    gc.collect()
    print(index.nbytes, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
"""


def test_its_bytes_are_those_that_python_counts() -> None:
    command = [sys.executable, "-W", "ignore", "-c", BYTES, "100", "1500"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(printed) == 4
    for line in printed:
        told, held = map(int, line.split())
        assert told == pytest.approx(held, rel=0.15)
