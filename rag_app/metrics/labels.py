"""Label values that stay few and hold nobody's words."""

from __future__ import annotations

import re
import threading

OTHER = "other"

WORDS = re.compile(r"[\w .:+-]{1,60}", re.ASCII)
MODEL = re.compile(r"[\w .:+/-]{1,100}", re.ASCII)
SOURCE = re.compile(r"[\w .:+/\u200c-]{1,60}")  # in any script, with half-spaces


class Label:
    """Passes the values of one label: at most `most` different ones in a process, all that match `pattern`.

    Whatever else comes is "other".
    """

    def __init__(self, pattern: re.Pattern[str] = WORDS, most: int = 50) -> None:
        self._pattern = pattern
        self._most = most
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, value: object) -> str:
        """Return the value, or "other"."""
        if not isinstance(value, str):
            return OTHER
        if value in self._known:
            return value
        if not self._pattern.fullmatch(value):
            return OTHER
        with self._lock:
            if len(self._known) < self._most:
                self._known.add(value)
        return value if value in self._known else OTHER
