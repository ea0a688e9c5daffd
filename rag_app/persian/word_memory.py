"""What words of questions were found to stand for, remembered within a limit of bytes."""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MATCH = np.dtype([("place", np.int32), ("similarity", np.float64)])
_BYTES_OF_ENTRY = 350  # of its objects and the place in the dictionary, beside the letters and the matches


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


class WordMemory:
    """What was understood; the oldest is forgotten first. The customers of a tenant ask in the same words.

    Threads may share it.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._nbytes = 0
        self._understood: dict[Asked, tuple[float, str, bytes]] = {}
        self._keeping = Lock()

    def get(self, asked: Asked) -> Understood | None:
        """Return what a word was understood as; None if that is not remembered."""
        known = self._understood.get(asked)
        return Understood(*known[:2], np.frombuffer(known[2], MATCH)) if known is not None else None

    def keep(self, asked: Asked, understood: Understood) -> None:
        """Remember what a word was understood as."""
        weight, meant, matches = understood
        with self._keeping:
            if asked in self._understood:
                return
            self._understood[asked] = weight, meant, matches.tobytes()  # an array is 80 bytes larger
            self._nbytes += self._nbytes_of(asked)
            while self._nbytes > self.max_bytes:
                oldest = next(iter(self._understood))
                self._nbytes -= self._nbytes_of(oldest)
                del self._understood[oldest]

    def _nbytes_of(self, asked: Asked) -> int:
        _, meant, matches = self._understood[asked]
        letters = {asked.word, meant, *asked.joined}
        return _BYTES_OF_ENTRY + len(matches) + sum(map(sys.getsizeof, letters)) + 50 * len(asked.joined)
