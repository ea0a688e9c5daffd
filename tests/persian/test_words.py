from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian.inflection import stem
from rag_app.persian.packed import PackedWords
from rag_app.persian.words import Words

LISTS = st.lists(st.lists(st.text("ابکتهنوم1a", max_size=5), max_size=8), max_size=4)


def layered(*lists: list[str]) -> Words:
    words = Words()
    for each in lists:
        words = words.with_more(PackedWords.of(each))
    return words


@given(LISTS)
@settings(max_examples=100)
def test_words_added_one_list_after_the_other_are_found_as_if_they_had_come_at_once(lists: list[list[str]]) -> None:
    parts, whole = layered(*lists), layered([word for each in lists for word in each])
    words = sorted(parts)
    assert words == sorted(whole) == sorted({word for each in lists for word in each} - {""})
    assert [parts.texts(np.array([parts[word]])) for word in words] == [[word] for word in words]
    assert parts.find([*words, "هیچ"]).tolist() == [*(parts[word] for word in words), -1]
    assert parts.texts(np.arange(len(parts))) == list(parts)
    for word in [*words, "کتابها", "کتاب"]:
        for found, expected in [
            (parts.spelt_like([word], 0.3)[1:], whole.spelt_like([word], 0.3)[1:]),
            (parts.sharing_consonants(["ketab"])[1:], whole.sharing_consonants(["ketab"])[1:]) if parts else ((), ()),
        ]:
            assert named(parts, found) == named(whole, expected)
        assert sorted(parts.texts(np.array(parts.of_stem(stem(word)), int))) == sorted(
            each for each in words if stem(each) == stem(word)
        )


def named(words: Words, found: tuple[np.ndarray, np.ndarray] | tuple[()]) -> dict[str, float]:
    return dict(zip(words.texts(found[0]), found[1].tolist(), strict=True)) if found else {}


def test_the_base_is_neither_copied_nor_changed() -> None:
    base = layered(["کتاب", "پست"])
    more = base.with_more(PackedWords.of(["پست", "شعبه", ""]))
    assert (len(base), len(more)) == (2, 3)
    assert more._layers[0] is base._layers[0]
    assert "شعبه" not in base
    assert 0 < more.nbytes_beyond(base) < more.nbytes_beyond(Words())
    with pytest.raises(KeyError):
        base["شعبه"]
