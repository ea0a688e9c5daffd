"""Reading the store again and again, away from the requests."""

from __future__ import annotations

import atexit
import itertools
import math
import os
import threading
import time
from collections.abc import Callable

from rag_app.errors import RagAppError, kind_of
from rag_app.flags.rules import Held, Snapshot
from rag_app.flags.store import FlagStore
from rag_app.logs import get_logger

logger = get_logger(__name__)

_FIRST_LOAD_S = 1.0  # what the first questions may wait, together
_LONGEST_PAUSE_S = 5.0  # between two reads, where the store does not answer
_STALE_AFTER_S = 10.0
_END_S = 1.0  # what closing waits for a read that is under way


class Reader:
    """Keeps what the store said last, read by a daemon thread of this process; a forked process needs its own.

    Args:
        store: where the flags are.
        is_usable: tells whether a flag may have a stored value.
        refresh_s: how long to wait between two reads, in seconds.
        parent: the reader of the process that this one was forked from, whose last values hold until the first read.
    """

    def __init__(
        self,
        store: FlagStore,
        is_usable: Callable[[str, object], bool],
        refresh_s: float,
        parent: Reader | None = None,
    ) -> None:
        self._store = store
        self._is_usable = is_usable
        self._refresh_s = refresh_s
        self.snapshot: Snapshot = parent.snapshot if parent is not None else Snapshot()
        self.has_loaded: bool = parent is not None and parent.has_loaded
        self._process = os.getpid()
        self._thread: threading.Thread | None = None
        self._started_at = self._answered_at = time.monotonic()
        self._answers = True
        self._tried = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._tickets = itertools.count(1)
        self._newest_ticket = 0

    def wait_for_first_read(self) -> None:
        """Start reading on the first call; wait for the first read, a second at most after the start."""
        if self._thread is None:
            self._start()
        if not self._tried.is_set():
            remaining = self._started_at + _FIRST_LOAD_S - time.monotonic()
            if remaining > 0 and not self._closed.is_set():
                self._tried.wait(remaining)

    @property
    def is_fresh(self) -> bool:
        """Whether the store answers; a read that hangs counts as no answer after ten seconds."""
        if self._answers and time.monotonic() - self._answered_at > _STALE_AFTER_S and not self._closed.is_set():
            self._tell_down(f"no answer for {_STALE_AFTER_S:.0f} s")
        return self._answers

    def read(self) -> None:
        """Read the store now. What a slower, older read brings afterwards is not used.

        Raises:
            StorageError: it does not answer.
        """
        ticket = next(self._tickets)
        asked_at = time.monotonic()  # times to live count from here: they end early by one read rather than late
        held, rejected = {}, {}
        for name, flag in self._store.load().items():
            if self._is_usable(name, flag.value):
                until = math.inf if flag.remaining_s is None else asked_at + flag.remaining_s
                held[name] = Held(flag.value, until, flag.changed_by, flag.changed_at)
            else:
                rejected[name] = flag.value
        with self._lock:
            self._answered_at = time.monotonic()
            if ticket < self._newest_ticket:
                return
            news = {name for name in rejected if self.snapshot.rejected.get(name) != rejected[name]}
            self._newest_ticket, self.snapshot, self.has_loaded = ticket, Snapshot(held, rejected), True
            recovered, self._answers = not self._answers, True
        if recovered:
            logger.info("flags can be read again")
        for name in sorted(news):
            logger.warning("a stored flag is ignored, it is unknown here or can not have its value: %.80s", name)

    def try_read(self) -> bool:
        """Read the store now and tell whether it answered; if not, the last values hold."""
        try:
            self.read()
        except Exception as error:  # noqa: BLE001 - whatever a store raises, the last values hold
            self._tell_down(str(error) if isinstance(error, RagAppError) else kind_of(error))
            return False
        return True

    def close(self) -> None:
        """Stop reading, and wait shortly for a read that is under way; closing again does nothing."""
        if self._process != os.getpid():
            return  # its thread did not come along
        self._closed.set()
        atexit.unregister(self.close)
        if self._thread is not None:
            self._thread.join(_END_S)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._started_at = self._answered_at = time.monotonic()
                thread = threading.Thread(target=self._read_on, name="rag_app flags", daemon=True)
                thread.start()
                self._thread = thread
                atexit.register(self.close)  # else a read may fail while the embedded database stops

    def _read_on(self) -> None:
        pause_s = 0.0
        while not self._closed.wait(pause_s):
            answered = self.try_read()
            self._tried.set()
            longest_s = max(_LONGEST_PAUSE_S, self._refresh_s)
            pause_s = self._refresh_s if answered else min(longest_s, max(self._refresh_s, pause_s * 2))

    def _tell_down(self, cause: str) -> None:
        with self._lock:
            told, self._answers = not self._answers, False
        if not told and not self._closed.is_set():
            logger.warning("flags can not be read, the last known values hold: %s", cause)
