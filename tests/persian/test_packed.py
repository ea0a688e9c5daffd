from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian.packed import PackedWords, hash_of, tokens_of

WORDS = st.lists(st.text(st.characters(exclude_characters=" \0", codec=None), max_size=70), max_size=20)


@given(WORDS)
@settings(max_examples=200)
def test_words_come_back_as_they_were(words: list[str]) -> None:
    packed = PackedWords.of(words)
    assert len(packed) == len(words)
    assert packed.unpacked() == [packed[place] for place in range(len(words))] == words
    places = np.arange(len(words))[::-2]
    assert packed.take(places).unpacked() == words[::-2]
    assert PackedWords.joined([packed, packed.take(places)]).unpacked() == words + words[::-2]
    assert packed.nbytes <= 4 * sum(map(len, words)) + 6 * len(words) + 4


@given(WORDS)
@settings(max_examples=200)
def test_all_words_at_once_have_the_hashes_of_each(words: list[str]) -> None:
    assert PackedWords.of(words).hashes().tolist() == [hash_of(word) for word in words]


def test_a_hash_is_the_same_in_every_process_and_tells_words_apart() -> None:
    assert hash_of("") == 0
    assert hash_of("کتاب") == 12119710188746356306
    letters = "ابپتa1"
    words = [one + two + three for one in letters for two in letters for three in ("", *letters)]
    assert len({hash_of(word) for word in words}) == len(words)


def test_tokens_know_their_text() -> None:
    tokens, texts = tokens_of(["یک دو", "", "سه", "چهار پنج"])
    assert [token for token in (tokens[place] for place in range(len(tokens)))] == ["یک", "دو", "", "سه", "چهار", "پنج"]
    assert texts.tolist() == [0, 0, 1, 2, 3, 3]
