"""A chunk as passages that can be quoted: sentences, list items, table rows, fields, and answers of the FAQ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag_app.gemini import ReadChunk
from rag_app.persian import fold, sentence_spans

_FIELD = re.compile(r"[^:|#.؟?!\n]{1,40}: \S[^\n]*\n")
_HEADING = re.compile(r"#{1,6}\s+")
_RULE = re.compile(r"[\s:|]*+-[\s:|-]*+")  # what stands between a table's header and its rows
_ITEM = re.compile(r"(?:[-*•●▪■◦○▸►✓✔✅–—+]\ufe0f?|\(?[\d۰-۹٠-٩]{1,3}[.)\-ـ])\s+")
_STRUCTURE = re.compile(r"^[ \t]*(?:#{1,6}\s|\|)", re.MULTILINE)  # which answers of the FAQ do not have
_CITATION = re.compile(r"\[([\d۰-۹٠-٩]+)\]")
_PERSIAN = re.compile(r"[\u0620-\u06ff]")
_ANSWER_SENTENCES = 3


@dataclass(frozen=True)
class Passage:
    """What can be quoted.

    Attributes:
        number: of its chunk.
        text: the quote.
        context: what it stands under: title, headings, the line before its list, the header of its table.
        question: the question that it is the answer to in the FAQ; else empty.
        entry: whether it is one of a list or a table.
    """

    number: int
    text: str
    context: str
    question: str = ""
    entry: bool = False


def passages_of(chunk: ReadChunk) -> list[Passage]:
    """Return the passages of a chunk, in order; no headings and no questions are among them."""
    first, _, rest = chunk.text.partition("\n")
    if rest.strip() and _same(first, chunk.title) and not _STRUCTURE.search(rest):
        return list(_answer(chunk.number, chunk.title, rest))
    return list(_passages(chunk))


def _answer(number: int, question: str, answer: str) -> Iterator[Passage]:
    """Yield the beginning of an answer as one passage, which is all of it if it is short."""
    sentences = _sentences(answer)
    if sentences:
        text = _plain(" ".join(sentences[:_ANSWER_SENTENCES]))
        yield Passage(number, text, "", question)
    for sentence in sentences[_ANSWER_SENTENCES:]:
        yield Passage(number, _plain(sentence), question)


def _passages(chunk: ReadChunk) -> Iterator[Passage]:
    headings: dict[int, str] = {}
    header: list[str] = []
    before_rule = lead = ""
    for sentence in _sentences(chunk.text):
        above = " ".join((chunk.title, *headings.values()))
        if heading := _HEADING.match(sentence):
            level = heading.group().count("#")
            headings = {depth: text for depth, text in headings.items() if depth < level}
            headings[level] = _plain(sentence)
            header, lead = [], ""
        elif sentence.startswith("|"):
            if _RULE.fullmatch(sentence):
                header = _cells(before_rule)
            elif header:
                yield Passage(chunk.number, _row(header, _cells(sentence)), f"{above} {lead}", entry=True)
            before_rule = sentence
        else:
            header = []
            item = _ITEM.match(sentence)
            lead = lead if item else sentence if sentence.endswith(":") else ""
            if not sentence.endswith((":", "؟", "?")):
                context = f"{above} {lead}" if item else above
                yield Passage(chunk.number, _plain(sentence), context, entry=item is not None)


def _sentences(text: str) -> list[str]:
    """Return the sentences on one line each; the fields that a record begins with are sentences of their own."""
    fields = []
    at = 0
    while field := _FIELD.match(text, at):
        fields.append(field.group().strip())
        at = field.end()
    rest = (" ".join(text[at:][start:end].split()) for start, end in sentence_spans(text[at:]))
    return [*fields, *filter(None, rest)]


def _plain(sentence: str) -> str:
    """Return the sentence without marks of Markdown, a semicolon at its end, and what would look like a citation."""
    start = _HEADING.match(sentence) or _ITEM.match(sentence)
    text = sentence[start.end() if start else 0 :]
    return _CITATION.sub(r"(\1)", text.replace("**", "")).rstrip("؛; ")


def _cells(row: str) -> list[str]:
    return [_plain(cell.strip()) for cell in row.strip().strip("|").split("|")]


def _row(header: list[str], cells: list[str]) -> str:
    """Return a row as its cells, each after the head of its column."""
    named = [
        f"{head}: {cell}" if head else cell
        for head, cell in zip(header + [""] * len(cells), cells, strict=False)
        if cell
    ]
    return ("؛ " if _PERSIAN.search("".join(cells + header)) else "; ").join(named)


def _same(line: str, title: str) -> bool:
    return bool(title) and fold(" ".join(line.split())) == fold(" ".join(title.split()))
