"""The pages that users read, and their fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text("utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
README = PAGES["README.md"]

# Blocks that are run by tests beside what they are about: how many of them there are.
ELSEWHERE = {
    ("docs/django.md", "python"): 5,  # tests/contrib/django/test_docs.py
    ("docs/django.md", "sh"): 2,  # the same
    ("docs/operations.md", "sh"): 8,  # tests/test_operations.py
    ("docs/swapping.md", "python"): 1,  # tests/test_swapping.py
}

# What each block of Python that is run here holds, and no other.
PYTHON = {
    "ten lines": "with RagApp.from_config",
    "chat": "app.stream_answer(",
    "old calls": "ProductionRAG.retrieve_context(",
    "reranker": "CrossEncoderReranker(",
    "client": "OpenAI(",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the line that it begins at."""

    page: str
    language: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


BLOCKS = [
    Block(page, found[1], text.count("\n", 0, found.start()) + 1, found[2])
    for page, text in PAGES.items()
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
]


def blocks(language: str) -> list[Block]:
    """The blocks of a language that are run here."""
    return [block for block in BLOCKS if block.language == language and (block.page, language) not in ELSEWHERE]


def python(name: str) -> str:
    """The code of a block of `PYTHON`."""
    (code,) = (block.text for block in blocks("python") if PYTHON[name] in block.text)
    return code
