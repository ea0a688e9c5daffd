"""Keeping a broken part from being tried again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rag_app.errors import ComponentError, DatabaseUnavailableError, InvalidAnswerError


class CircuitBreaker:
    """Closed while a part works; opens when it fails; after a while lets one caller try it again (half-open).

    Each further failure doubles the while, up to `longest_s`.

    Args:
        retry_after_s: how long the part is not tried when the breaker opens.
        longest_s: the longest such time.
        threshold: how many failures in a row open it.
    """

    def __init__(self, retry_after_s: float = 30.0, longest_s: float = 600.0, threshold: int = 1) -> None:
        self._retry_after_s = retry_after_s
        self._longest_s = longest_s
        self._threshold = threshold
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._trying = False

    def allows(self) -> bool:
        """Tell whether the caller may try the part; of those that ask while it is broken, one may.

        Who is allowed must report by `succeeded`, `failed` or `released`.
        """
        with self._lock:
            if self._failures < self._threshold:
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
        """Count a failure, and open if there were enough in a row: the part is broken."""
        with self._lock:
            self._failures += 1
            self._trying = False
            doublings = self._failures - self._threshold
            if doublings >= 0:
                wait_s = min(self._longest_s, self._retry_after_s * 2 ** min(doublings, 60))
                self._retry_at = time.monotonic() + wait_s

    def released(self) -> None:
        """Leave the state as it is: the try ended before it could tell anything of the part."""
        with self._lock:
            self._trying = False

    def seconds_to_retry(self) -> float:
        """Return how long the part will not be tried; 0 if it may be."""
        with self._lock:
            waiting = self._failures >= self._threshold
            return max(0.0, self._retry_at - time.monotonic()) if waiting else 0.0

    @contextmanager
    def attempt(self, *, fair: bool = True) -> Iterator[None]:
        """Run the block if the part may be tried, and note how it went.

        Args:
            fair: whether the part has the time it usually needs; without it, running out of time tells nothing of it.

        Raises:
            ComponentError: the part may not be tried now; its reason is "not tried".
        """
        if not self.allows():
            raise ComponentError(f"not tried for {self.seconds_to_retry():.1f} s, for it kept failing", "not tried")
        try:
            yield
        except TimeoutError:
            if fair:
                self.failed()
            else:
                self.released()
            raise
        except InvalidAnswerError:
            self.failed()
            raise
        except (ComponentError, DatabaseUnavailableError):  # it says so itself, at once, and knows when to try again
            self.released()
            raise
        except Exception:
            self.failed()
            raise
        except BaseException:  # the caller went away
            self.released()
            raise
        self.succeeded()
