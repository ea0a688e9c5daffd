"""Which files are converted, by what, and to what."""

from __future__ import annotations

from dataclasses import dataclass

MODULES = {".html": "html", ".htm": "html", ".docx": "docx", ".pdf": "pdf"}
"""The module of this package whose `convert` reads files of a suffix."""

SUFFIXES = tuple(MODULES)
INSTALL = "pip install 'rag-app[readers]'"
EXPANSION = 10  # how many times larger than the largest file what is in a file may be


@dataclass(frozen=True)
class Converted:
    """What a file holds: its title, empty if it names none, its text as Markdown, and what was left out and why."""

    title: str
    text: str
    left_out: tuple[str, ...] = ()
