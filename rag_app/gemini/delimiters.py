"""The delimiters of the context, taken apart wherever a document, a title or a customer imitates them."""

from __future__ import annotations

import re

# White space, a slash and invisible characters may stand between the bracket and the name.
_DELIMITER = re.compile(
    r"<(?=[\s/\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*(?:chunk|context|question)\b)", re.IGNORECASE
)


def without_delimiters(text: str) -> str:
    """Return the text with a round bracket for the pointed one of each look-alike: one token for one token."""
    return _DELIMITER.sub("(", text)


def as_attribute(text: str) -> str:
    """Return the text fit to stand between quotes within a delimiter."""
    return " ".join(without_delimiters(text).replace('"', "”").split())
