"""Reading a user's turn back: its chunks and its question."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TURN = re.compile(r"<context>\n(.*)</context>\n\n<question>\n(.*)\n</question>", re.DOTALL)
_CHUNK = re.compile(r'<chunk id="(\d+)" source="([^"\n]*)" title="([^"\n]*)">\n(.*?)\n</chunk>\n', re.DOTALL)


@dataclass(frozen=True)
class ReadChunk:
    """A chunk as the model sees it; `number` is what it is cited by."""

    number: int
    source: str
    title: str
    text: str


@dataclass(frozen=True)
class ReadTurn:
    """A user's turn, taken apart."""

    question: str
    chunks: tuple[ReadChunk, ...]


def read_turn(text: str) -> ReadTurn | None:
    """Return what `user_turn` was made of, as the model sees it; None if the text was not made by it."""
    if (turn := _TURN.fullmatch(text)) is None:
        return None
    context, question = turn.groups()
    chunks = (ReadChunk(int(number), *rest) for number, *rest in _CHUNK.findall(context))
    return ReadTurn(question, tuple(chunks))
