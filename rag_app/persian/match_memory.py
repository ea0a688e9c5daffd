"""What words were found to stand for, remembered within a limit of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

import numpy as np

_MATCH = np.dtype([("place", np.int32), ("similarity", np.float64)])
_BYTES_OF_ENTRY = 250  # of the word, the matches' head and the place in the dictionary


class MatchMemory:
    """Matches by word: places in a vocabulary and similarities; the oldest are forgotten first.

    The customers of a tenant ask in the same words. Threads may share it.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._nbytes = 0
        self._matches: dict[str, bytes] = {}
        self._keeping = Lock()

    def get(self, word: str) -> dict[int, float] | None:
        """Return the matches, which are the caller's to change; None if they are not remembered."""
        found = self._matches.get(word)
        return dict(np.frombuffer(found, _MATCH).tolist()) if found is not None else None

    def keep(self, word: str, matches: Mapping[int, float]) -> None:
        """Remember the matches of a word."""
        packed = np.fromiter(matches.items(), _MATCH, len(matches)).tobytes()
        with self._keeping:
            if word in self._matches:
                return
            self._matches[word] = packed
            self._nbytes += _BYTES_OF_ENTRY + len(packed)
            while self._nbytes > self.max_bytes:
                self._nbytes -= _BYTES_OF_ENTRY + len(self._matches.pop(next(iter(self._matches))))
