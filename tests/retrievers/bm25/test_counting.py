from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian.packed import hash_of
from rag_app.retrievers.bm25 import counting

TEXTS = st.lists(st.lists(st.text("اب1😀é", min_size=1, max_size=3), max_size=6).map(" ".join), max_size=9)


@pytest.fixture(params=[2, 1000])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_BATCH", request.param)


@given(TEXTS)
@settings(max_examples=100)
def check(texts: list[str]) -> None:
    counts = counting.count_words(texts)
    words = counts.words.unpacked()
    entries = zip(counts.word.tolist(), counts.text.tolist(), counts.times.tolist(), strict=True)
    found = [((words[word], text), times) for word, text, times in entries]
    assert len(dict(found)) == len(found)
    assert dict(found) == Counter((word, number) for number, text in enumerate(texts) for word in text.split())
    assert counts.hashes.tolist() == sorted(map(hash_of, words))
    assert [hash_of(word) for word in words] == counts.hashes.tolist()
    assert counts.lengths.tolist() == [len(text.split()) for text in texts]


@pytest.mark.usefixtures("batch")
def test_it_counts_as_a_counter_does() -> None:
    check()


@pytest.mark.usefixtures("batch")
def test_the_entries_of_a_word_are_in_the_order_of_the_texts() -> None:
    counts = counting.count_words(["ا ب", "ب", "ا ا"])
    for word in range(len(counts.words)):
        texts = counts.text[counts.word == word].tolist()
        assert texts == sorted(texts)
