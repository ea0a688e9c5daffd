"""Which files are converted, by what, and to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Format(NamedTuple):
    """A kind of file.

    Attributes:
        module: the one of this package whose `convert` reads it.
        seconds_per_mb: of the processor that a file may take for each MB, some three times what the densest took on a
            busy machine.
    """

    module: str
    seconds_per_mb: int


_HTML = Format("html", 10)
FORMATS = {".html": _HTML, ".htm": _HTML, ".docx": Format("docx", 50), ".pdf": Format("pdf", 30)}
SUFFIXES = tuple(FORMATS)
LEAST_SECONDS, MOST_SECONDS = 1.5, 300  # of the processor that a file may take, however small or large it is
INSTALL = "pip install 'rag-app[readers]'"
EXPANSION = 10  # how many times larger than the largest file what is in a file may be


@dataclass(frozen=True)
class Converted:
    """What a file holds: its title, empty if it names none, its text as Markdown, and what was left out and why."""

    title: str
    text: str
    left_out: tuple[str, ...] = ()
