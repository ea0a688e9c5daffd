"""Keeping a broken part from being tried again and again."""

from __future__ import annotations

import threading
import time


class CircuitBreaker:
    """Closed while a part works; opens when it fails; after a while lets one caller try it again (half-open).

    Each failure in a row doubles the while, up to `longest_s`.

    Args:
        retry_after_s: how long the first failure keeps the part from being tried.
        longest_s: the longest such time.
    """

    def __init__(self, retry_after_s: float = 30.0, longest_s: float = 600.0) -> None:
        self._retry_after_s = retry_after_s
        self._longest_s = longest_s
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._trying = False

    def allows(self) -> bool:
        """Tell whether the caller may try the part; of those that ask while it is broken, one may.

        Who is allowed must report by `succeeded` or `failed`.
        """
        with self._lock:
            if self._failures == 0:
                return True
            if self._trying or time.monotonic() < self._retry_at:
                return False
            self._trying = True
            return True

    def succeeded(self) -> None:
        """Close: the part works."""
        with self._lock:
            self._failures = 0
            self._trying = False

    def failed(self) -> None:
        """Open: the part is broken."""
        with self._lock:
            self._retry_at = time.monotonic() + min(self._longest_s, self._retry_after_s * 2**self._failures)
            self._failures += 1
            self._trying = False

    def seconds_to_retry(self) -> float:
        """Return how long the part will not be tried; 0 if it may be."""
        with self._lock:
            return max(0.0, self._retry_at - time.monotonic()) if self._failures else 0.0
