"""The other end of `Converter`: reads files from standard input and answers each with one line of JSON."""

from __future__ import annotations

import contextlib
import gc
import json
import resource
import signal
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any, BinaryIO

from rag_app.conversion.formats import EXPANSION, FORMATS, INSTALL, Converted
from rag_app.errors import ReadError

_RECURSION = 5000  # Markdown is written by recursion over the page's elements; pure Python calls need no stack for it

# A document's parts live until it is converted: looking through them as often as Python does took a third of the time.
_GARBAGE = (100_000, 20, 100)


def serve(requests: BinaryIO, answers: BinaryIO, *, time_limit_s: int, memory_mb: int) -> None:
    """Answer requests until there are no more.

    Args:
        requests: lines of JSON with `suffix`, `bytes`, `max_mb` and `processor_s`, each followed by that many bytes.
            The system ends this process when a file takes more than `processor_s` seconds of the processor.
        answers: where a line of JSON is written for each: the fields of `Converted`, or `error`, with `last` where this
            process answers no more.
        time_limit_s: the seconds by the clock after which it does so, whatever this process is doing.
        memory_mb: named where memory ran out.
    """
    while line := requests.readline():
        request = json.loads(line)
        content = requests.read(request["bytes"])
        signal.alarm(time_limit_s)
        answer = _answer(request["suffix"], content, request["max_mb"], request["processor_s"], memory_mb)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        if answer.get("last"):
            return


def _answer(suffix: str, content: bytes, max_mb: float, processor_s: float, memory_mb: int) -> dict[str, Any]:
    max_bytes = int(max_mb * 1e6 * EXPANSION)
    try:
        module = import_module(f"rag_app.conversion.{FORMATS[suffix].module}")
        signal.setitimer(signal.ITIMER_PROF, processor_s)  # loading packages is no work on the file
        converted: Converted = module.convert(content, max_bytes)
        if len(converted.text) > max_bytes:
            raise ReadError(
                f"the file's text has more than {max_bytes / 1e6:g} MB (ingestion.max_file_mb × {EXPANSION})"
            )
    except ReadError as error:
        return {"error": str(error)}
    except ImportError as error:
        return {"error": f"{suffix} files need more packages: {INSTALL} ({error})"}
    except MemoryError:
        # What was taken is not given back for certain, and the next file shall have all of it.
        return {"error": f"converting the file takes more than {memory_mb} MB of memory", "last": True}
    except RecursionError:
        return {"error": "what is in the file is nested too deep"}
    except Exception as error:  # noqa: BLE001 - what a library raises for a broken file is not foreseeable
        return {"error": f"the file is broken: {type(error).__name__}: {str(error)[:200]}"}
    return asdict(converted)


def _main() -> None:
    time_limit_s, memory_mb = map(int, sys.argv[1:])
    if memory_mb:
        with contextlib.suppress(ValueError, OSError):  # some systems know no such limit
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 1_000_000,) * 2)
    sys.setrecursionlimit(_RECURSION)
    gc.set_threshold(*_GARBAGE)
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints is no answer
    serve(sys.stdin.buffer, answers, time_limit_s=time_limit_s, memory_mb=memory_mb)


if __name__ == "__main__":
    _main()
