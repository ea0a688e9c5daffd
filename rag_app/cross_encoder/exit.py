"""The end of the process, which waits for models that are at work."""

from __future__ import annotations

import atexit
import threading
import time
from typing import Protocol
from weakref import WeakSet

_LONGEST_S = 3.0  # that it waits for a batch or a load; one that hangs is left


class Closes(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Have its thread end."""


_engines: WeakSet[Closes] = WeakSet()
_threads: WeakSet[threading.Thread] = WeakSet()


def closed_at_exit(engine: Closes) -> None:
    """Have an engine closed when the process ends."""
    _engines.add(engine)


def joined_at_exit(thread: threading.Thread) -> None:
    """Have a thread waited for when the process ends, also one whose engine was closed before."""
    _threads.add(thread)


@atexit.register
def stop_all() -> None:
    """End the threads: the interpreter, when it ends, aborts if it finds one in the middle of torch's code."""
    for engine in list(_engines):
        engine.close()
    until = time.monotonic() + _LONGEST_S
    for thread in list(_threads):
        thread.join(max(0.0, until - time.monotonic()))
