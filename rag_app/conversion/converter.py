"""The process that converts files: started for the first, kept for the next, and ended when it exceeds its limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import TracebackType

from rag_app.conversion.formats import FORMATS, LEAST_SECONDS, MOST_SECONDS, Converted
from rag_app.errors import ReadError

# What an interpreter needs to start and libraries to load; keys and passwords are none of a document's business.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class Converter:
    """Converts files in a process of its own, so that no file can crash, stall or bloat the caller's.

    A file may take time of the processor in proportion to its size (`FORMATS`), however busy the machine is.

    Args:
        time_limit_s: the most seconds that a file may take by the clock, also where it waits for the processor.
        memory_mb: the most address space, in MB, that the process may use; 0 for no limit. macOS does not enforce it.
    """

    def __init__(self, *, time_limit_s: int = 900, memory_mb: int = 2048) -> None:
        self._time_limit_s = time_limit_s
        self._memory_mb = memory_mb
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Converter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if one was started."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            _reap(process)

    def convert(self, suffix: str, content: bytes, *, max_mb: float) -> Converted:
        """Return what a file holds.

        Args:
            suffix: the file's kind, one of `SUFFIXES`.
            content: the file's bytes.
            max_mb: the largest file that is read, in MB; what a file unpacks to may be ten times as large.

        Raises:
            ReadError: it can not be converted, took too long or too much memory, or a package is missing.
        """
        megabytes = len(content) / 1e6
        processor_s = min(LEAST_SECONDS + FORMATS[suffix].seconds_per_mb * megabytes, MOST_SECONDS)
        request = {"suffix": suffix, "bytes": len(content), "max_mb": max_mb, "processor_s": processor_s}
        try:
            if self._process is not None and self._process.poll() is not None:
                self.close()  # ended by another's hand between two files
            process = self._process = self._process or self._start()
            assert process.stdin is not None  # noqa: S101
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(json.dumps(request).encode() + b"\n" + content)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        except OSError as error:
            raise ReadError(f"no process can be started to convert the file: {error.strerror}") from error
        except BaseException:  # an interrupted call leaves half an answer behind
            self.close()
            raise
        if not line.endswith(b"\n"):
            raise ReadError(self._how_it_ended(processor_s, megabytes))
        answer = json.loads(line)
        if answer.get("last"):
            self.close()
        if "error" in answer:
            raise ReadError(answer["error"])
        return Converted(answer["title"], answer["text"], tuple(answer["left_out"]))

    def _start(self) -> subprocess.Popen[bytes]:
        # The process finds packages where this one does, even those that a script has put on the path.
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        limits = [str(self._time_limit_s), str(self._memory_mb)]
        return subprocess.Popen(  # noqa: S603 - this interpreter, on a module of this package
            [sys.executable, "-P", "-W", "ignore", "-m", "rag_app.conversion.worker", *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}, "PYTHONPATH": path},
        )

    def _how_it_ended(self, processor_s: float, megabytes: float) -> str:
        process, self._process = self._process, None
        assert process is not None  # noqa: S101
        code = _reap(process)
        if code == -signal.SIGPROF:
            return (
                f"converting the file took longer than {processor_s:.1f} s of the processor, which is more than one of "
                f"{megabytes:.2g} MB takes"
            )
        if code == -signal.SIGALRM:
            return f"converting the file took longer than {self._time_limit_s} s"
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return f"converting the file ended the process that did it ({how}), as broken files and lack of memory do"


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process, close its pipes and return its exit status."""
    with suppress(BrokenPipeError), process:  # what it did not read is flushed once more
        process.wait()
    return process.wait()
