"""Where sentences end, in Persian and English text with headings, lists and tables."""

from __future__ import annotations

import re

Span = tuple[int, int]

# Full stops that end no sentence: single letters («ه.ش.», «ق.ظ.», "e.g."), ordinals within a line ("1. ثبت 2. پرداخت";
# a Persian sentence ends in a verb, seldom in a number), titles and references.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(«\"])(?:(?:[^\W\d_]\.)*[^\W\d_]|\d{1,2}|دکتر|مهندس|نک|رک|قس|صص"
    r"|Dr|Prof|Mr|Mrs|Ms|St|No|vs|etc|approx|Tel|Ltd|Inc)\.[»”\"')\]\u200c\u200e\u200f]*$"
)
_LETTERS = "[آ-غف-يپچژکگی]{2}"
# The look-behind keeps a long run of full stops, as in a table of contents, from being tried at each of them. Between
# Persian words the space after a mark is often left out: «رایگان است.پست دو روزه می‌رسد».
_SENTENCE_END = re.compile(
    r"(?<![.!?؟…])[.!?؟…]+[»”\"')\]\u200c\u200e\u200f]*(?=\s)|؛(?=\s)|\n"
    rf"|(?<={_LETTERS})[.!?؟…]+(?={_LETTERS})"
)
_LATIN_OR_ADDRESS = re.compile("[A-Za-z/@]")  # «سایت.ایران/تماس» holds no end of a sentence
_STRUCTURED_LINE = re.compile(
    r"[ \t]*(?:[-*•●▪■◦○▸►✓✔✅–—+]\ufe0f?\s|\(?[\d۰-۹٠-٩]{1,3}[.)\-ـ]\s|(?:الف|[ب-ی])\)\s|#{1,6}\s|\|)"
)
_TERMINAL = ".!?؟…:؛»"
# Where a sentence that is too long is cut, the best place first: table rows, sentences, clauses, table cells, lists,
# words but for the parts of a spaced number, any words, before and after words, and before and after numbers.
CUTS = (
    re.compile(r"(?<=\|)[ \t]*\n"),
    re.compile(r"(?:(?<=[!?؟…])|(?<=[\w\u200c]{3}\.))\s+"),
    re.compile(r"(?<=[؛;:])\s+"),
    re.compile(r"\|\s*"),
    re.compile(r"(?<=[،,])\s+"),
    re.compile(r"(?<![\d\s])\s+|(?<!\s)\s++(?!\d)"),
    re.compile(r"\s+"),
    re.compile(r"[^\s|]+|[\s|]+"),
    re.compile(r"\d+(?:[.,/:٬٫]\d+)*|\D+"),
)


def sentence_spans(text: str) -> list[Span]:
    """Return the spans of the sentences of `text`, in order, together covering every character.

    A list item, a heading and a table row is a sentence of its own, whatever it holds; a line that was only wrapped is
    not.
    """
    spans: list[Span] = []
    start = 0
    structured = bool(_STRUCTURED_LINE.match(text))
    for match in _SENTENCE_END.finditer(text):
        if match.start() < start:
            continue
        if match.group() == "\n":
            ends = _line_ends(text, match.start())
        else:
            ends = not structured and _sentence_ends(text, start, match.end())
        if not ends:
            continue
        end = match.end()
        while end < len(text) and text[end].isspace():
            end += 1
        spans.append((start, end))
        structured = "\n" in text[match.start() : end] and bool(_STRUCTURED_LINE.match(text, end))
        start = end
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def _sentence_ends(text: str, start: int, end: int) -> bool:
    if _ABBREVIATION.search(text, max(start - 1, end - 24, 0), end):
        return False
    if text[end].isspace():
        return True
    word = text[max(start, end - 200) : end].split()[-1] + text[end : end + 200].split()[0]
    return not _LATIN_OR_ADDRESS.search(word)


def _line_ends(text: str, newline: int) -> bool:
    """Tell whether the line break ends a sentence, rather than wraps it."""
    line = text[text.rfind("\n", 0, newline) + 1 : newline].rstrip()
    following = text[newline + 1 : newline + 200]
    return (
        not line
        or line[-1] in _TERMINAL
        or bool(_STRUCTURED_LINE.match(following))
        or bool(re.match(r"[ \t]*(?:#{1,6}\s|\|)", line))
    )
