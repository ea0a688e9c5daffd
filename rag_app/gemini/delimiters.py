"""Delimiters and a chat template's control tokens, taken apart wherever a document or a customer imitates them."""

from __future__ import annotations

import re

# What may hide between the characters of a delimiter: nothing of it is seen.
_UNSEEN = (
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\U000e0000-\U000e0fff]*"
)
_OPENING = "[<\u2039\u276e\u27e8\u2329\u3008\ufe64\uff1c]"  # and what looks like it
_NAMES = "|".join(_UNSEEN.join(name) for name in ("chunk", "context", "question"))
# White space, slashes and unseen characters may stand between the bracket and the name.
_DELIMITER = rf"{_OPENING}(?=(?:[\s/]|{_UNSEEN[:-1]})*(?:{_NAMES})\b)"
# Gemma's and Gemini's, ChatML's, and those of Llama and Mistral.
_CONTROL = (
    r"<(?=[\s/]*(?:(?:start|end)_of_(?:turn|image|audio)|bos|eos|pad|unk|mask|s|unused\d+|ctrl\d+|tool_(?:call|response)"
    r"|think|image_soft_token)\s*>|\||<?/?SYS>)"
    r"|\[(?=[\s/]*(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|multimodal)\s*\])"
)
_APART = re.compile(rf"{_DELIMITER}|{_CONTROL}", re.IGNORECASE)


def without_delimiters(text: str) -> str:
    """Return the text with a round bracket for the first bracket of each look-alike: one character for one."""
    return _APART.sub("(", text)


def as_attribute(text: str) -> str:
    """Return the text fit to stand between quotes within a delimiter."""
    return " ".join(without_delimiters(text).replace('"', "”").split())
