"""What a customer is told in the language of the question where no answer was written."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml

from rag_app.persian.language import detect_language


def reply(outcome: str, question: str) -> str:
    """Return the sentence of `replies.yaml` for an outcome: in English for English, in Persian for anything else."""
    return _replies()["en" if detect_language(question) == "en" else "fa"][outcome]


@cache
def _replies() -> dict[str, dict[str, str]]:
    text = resources.files("rag_app.chat").joinpath("replies.yaml").read_text("utf-8")
    replies: dict[str, dict[str, str]] = yaml.safe_load(text)
    return replies
