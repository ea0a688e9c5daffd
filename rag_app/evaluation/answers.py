"""Whether the context for a question holds a gold answer, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rag_app.gemini import ReadChunk, read_turn, user_turn
from rag_app.persian import fold
from rag_app.persian.folding import HALF_SPACE


def holds_answer(context: str, answers: Iterable[str]) -> bool:
    """Tell whether a chunk of the context, in its title or text, holds one of the answers.

    Both sides are folded: letters, digits, case, diacritics; a half-space is a space, and all white space is one. The
    folded answer must stand there as a whole: "5" is not in "1500", nor in the number that a chunk is cited by, and
    what is in parts in two chunks is in none.

    Args:
        context: `RetrievalResult.context`.
        answers: the gold answers, of which one is enough.
    """
    texts = [folded(f"{chunk.title}\n{chunk.text}") for chunk in chunks_of(context)]
    return any(_within(folded(answer), text) for answer in answers for text in texts)


def chunks_of(context: str) -> Sequence[ReadChunk]:
    """Return the chunks of a context as a model sees them."""
    turn = read_turn(user_turn("", context))
    return turn.chunks if turn is not None else ()


def folded(text: str) -> str:
    """Return the text folded as for search, with one space for any white space and half-space."""
    return " ".join(fold(text).replace(HALF_SPACE, " ").split())


def _within(answer: str, text: str) -> bool:
    """Tell whether the text holds the answer with no letter or digit of its own word before or after it."""
    before = r"(?<!\w)" if answer[:1].isalnum() else ""
    after = r"(?!\w)" if answer[-1:].isalnum() else ""
    return bool(answer) and re.search(before + re.escape(answer) + after, text) is not None
