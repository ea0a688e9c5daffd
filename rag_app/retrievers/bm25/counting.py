"""Counting words: which texts hold which, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.packed import PackedWords, tokens_of

_BATCH = 1_000  # texts; the arrays of so many words stay near the processor


class WordCounts(NamedTuple):
    """What each text holds, as entries in three arrays: a word, a text, and how often.

    Attributes:
        words: the distinct words.
        hashes: their `hash_of`, in rising order.
        word, text, times: the entries, those of a word in the order of the texts.
        lengths: the words of each text, repeated ones too.
    """

    words: PackedWords
    hashes: NDArray[np.uint64]
    word: NDArray[np.int32]
    text: NDArray[np.int32]
    times: NDArray[np.int32]
    lengths: NDArray[np.int32]


def count_words(texts: Sequence[str]) -> WordCounts:
    """Count the words of texts, which are separated by spaces."""
    batches = [_count(texts[start : start + _BATCH]) for start in range(0, max(len(texts), 1), _BATCH)]
    if len(batches) == 1:
        return batches[0]
    hashes, first, places = np.unique(
        np.concatenate([batch.hashes for batch in batches]), return_index=True, return_inverse=True
    )
    offsets = np.cumsum([0, *(len(batch.hashes) for batch in batches)])
    return WordCounts(
        PackedWords.joined([batch.words for batch in batches]).take(first),
        hashes,
        np.concatenate([places[batch.word + offset] for batch, offset in zip(batches, offsets, strict=False)]),
        np.concatenate([batch.text + number * _BATCH for number, batch in enumerate(batches)]),
        np.concatenate([batch.times for batch in batches]),
        np.concatenate([batch.lengths for batch in batches]),
    )


def _count(texts: Sequence[str]) -> WordCounts:
    tokens, text_of = tokens_of(texts)
    (said,) = np.nonzero(tokens.lengths)
    hashes, text_of = tokens.hashes()[said], text_of[said]
    order = np.argsort(hashes, kind="stable")
    hashes, texts_in_order = hashes[order], text_of[order]
    new_word = np.r_[True, hashes[1:] != hashes[:-1]][: len(hashes)]
    (starts,) = np.nonzero(new_word | np.r_[True, texts_in_order[1:] != texts_in_order[:-1]][: len(hashes)])
    return WordCounts(
        tokens.take(said[order[new_word]]),
        hashes[new_word],
        (np.cumsum(new_word) - 1)[starts].astype(np.int32),
        texts_in_order[starts],
        np.diff(np.r_[starts, len(hashes)]).astype(np.int32),
        np.bincount(text_of, minlength=len(texts)).astype(np.int32),
    )
