"""Trying inputs, and what came of it: how many, how many were refused, which broke something, which was slowest."""

from __future__ import annotations

import resource
import signal
import time
import traceback
from dataclasses import dataclass, field
from types import FrameType

import psutil
from targets import Trial

from rag_app.errors import RagAppError

HANGS_S = 60  # from which an input is taken to hang


class Hung(BaseException):
    """Raised into what takes too long; no `except Exception` swallows it."""


@dataclass
class Tally:
    """What came of the inputs of a kind."""

    tried: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    slowest: str = "-"
    broken: dict[str, str] = field(default_factory=dict)

    def run(self, trial: Trial) -> float:
        """Try an input and return the seconds of the processor that it took, here or in processes started here.

        Args:
            trial: is tried in the main thread, which alone can be told that it hangs.
        """
        self.tried += 1
        before = signal.signal(signal.SIGALRM, _hang)
        signal.alarm(HANGS_S)
        clock = _time_of_others if trial.elsewhere else time.process_time
        started = clock()
        try:
            trial.take()
        except RagAppError:
            self.refused += 1
        except Hung:
            self.broken.setdefault("hung", trial.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{type(error).__name__} at {place.filename}:{place.lineno}"
            self.broken.setdefault(key, f"{trial.name}: {error!s:.200}")
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        seconds = clock() - started
        if seconds > self.slowest_s:
            self.slowest_s, self.slowest = seconds, f"{trial.name}, {trial.size}"
        return seconds


def _time_of_others() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children():
        running = child.cpu_times()
        seconds += running.user + running.system
    return seconds


def _hang(_: int, __: FrameType | None) -> None:
    raise Hung
