"""What words of questions were found to stand for, remembered within a limit of bytes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MATCH = np.dtype([("place", np.int32), ("similarity", np.float64)])
_BYTES_OF_ENTRY = 520  # of its objects and the place in the dictionary, beside the letters and the matches


class Asked(NamedTuple):
    """A word of a question, and what else of the question decides what it may stand for.

    Attributes:
        word: the word, folded.
        joined: what it makes with the words beside it, where that is a word too.
        english: whether the question is.
    """

    word: str
    joined: tuple[str, ...] = ()
    english: bool = False


class Understood(NamedTuple):
    """What a word of a question stands for.

    Attributes:
        weight: how much it tells, above 0.
        meant: the word that it was taken for.
        matches: the words of the texts that it may stand for, the best first, each a `MATCH`: its place in the
            vocabulary and its similarity.
    """

    weight: float
    meant: str
    matches: NDArray[Any]


class _Entry(NamedTuple):
    weight: float
    meant: str
    matches: bytes  # an array is 80 bytes larger
    nbytes: int


class WordMemory:
    """What words were understood as in vocabularies, which have numbers; those used least recently are forgotten first.

    The customers of a tenant ask in the same words. Threads may share it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._nbytes = 0
        self._entries: OrderedDict[tuple[int, Asked], _Entry] = OrderedDict()
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """The memory that is held, in bytes, about."""
        return self._nbytes

    def get(self, vocabulary: int, asked: Asked) -> Understood | None:
        """Return what a word was understood as; None if that is not remembered."""
        with self._lock:
            known = self._entries.get((vocabulary, asked))
            if known is None:
                return None
            self._entries.move_to_end((vocabulary, asked))
        return Understood(known.weight, known.meant, np.frombuffer(known.matches, MATCH))

    def keep(self, vocabulary: int, asked: Asked, understood: Understood) -> None:
        """Remember what a word was understood as."""
        weight, meant, matches = understood
        letters = {asked.word, meant, *asked.joined}
        nbytes = _BYTES_OF_ENTRY + matches.nbytes + sum(map(sys.getsizeof, letters)) + 50 * len(asked.joined)
        if nbytes > self._max_bytes:
            return
        with self._lock:
            if (vocabulary, asked) in self._entries:
                return
            self._entries[vocabulary, asked] = _Entry(weight, meant, matches.tobytes(), nbytes)
            self._nbytes += nbytes
            while self._nbytes > self._max_bytes:
                self._nbytes -= self._entries.popitem(last=False)[1].nbytes
