"""A chunk as passages that can be quoted: sentences, list items, table rows, fields, and answers of the FAQ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from rag_app.gemini import ReadChunk
from rag_app.persian import fold, sentence_spans

_FIELD = re.compile(r"[^:|#.؟?!\n]{1,40}: \S[^\n]*\n")
_HEADING = re.compile(r"#{1,6}\s+")
_RULE = re.compile(r"[\s:|]*+-[\s:|-]*+")  # what stands between a table's header and its rows
_ITEM = re.compile(r"(?:[-*•●▪■◦○▸►✓✔✅–—+]\ufe0f?|\(?[\d۰-۹٠-٩]{1,3}[.)\-ـ])\s+")
_STRUCTURE = re.compile(r"^[ \t]*(?:#{1,6}\s|\|)", re.MULTILINE)  # which answers of the FAQ do not have
_CITATION = re.compile(r"\[([\d۰-۹٠-٩]+)\]")
_PERSIAN = re.compile(r"[\u0620-\u06ff]")
_QUESTION_MARKS = ("؟", "?")
_ANSWER_SENTENCES = 3


@dataclass(frozen=True)
class Passage:
    """What can be quoted.

    Attributes:
        number: of its chunk.
        text: the quote.
        context: what tells what it is about: title, headings, the line before its list, the header of its table, the
            sentence before it, the other fields of its record.
        question: the question that it is the answer to in the FAQ, or under a heading that asks it; else empty.
        entry: whether it is one of a list or a table.
        field: the name of the field of a record that it is, which its text begins with; else empty.
    """

    number: int
    text: str
    context: str
    question: str = ""
    entry: bool = False
    field: str = ""

    @property
    def value(self) -> str:
        """What the field holds."""
        return self.text.removeprefix(self.field).removeprefix(": ")


def passages_of(chunk: ReadChunk) -> list[Passage]:
    """Return the passages of a chunk, in order; no headings and no questions are among them."""
    first, _, rest = chunk.text.partition("\n")
    if rest.strip() and _same(first, chunk.title) and not _STRUCTURE.search(rest):
        return list(_answer(chunk.number, chunk.title, "", _sentences(rest)))
    fields = _fields(chunk.text)
    text = chunk.text[fields[-1].end() :] if fields else chunk.text
    return [*_of_record(chunk, [field.group().strip() for field in fields]), *_passages(chunk, _sentences(text))]


def _answer(number: int, question: str, context: str, sentences: Sequence[str]) -> Iterator[Passage]:
    """Yield the beginning of an answer as one passage, which is all of it if it is short."""
    plain = [_plain(sentence) for sentence in sentences]
    if plain:
        yield Passage(number, " ".join(plain[:_ANSWER_SENTENCES]), context, question)
    for sentence in plain[_ANSWER_SENTENCES:]:
        yield Passage(number, sentence, f"{context} {question}".strip())


def _of_record(chunk: ReadChunk, fields: Sequence[str]) -> Iterator[Passage]:
    """Yield the fields that a record begins with: its title and its other fields tell what each is of."""
    for at, field in enumerate(fields):
        others = " ".join((chunk.title, *fields[:at], *fields[at + 1 :]))
        yield Passage(chunk.number, _plain(field), others, field=field.partition(":")[0])


def _passages(chunk: ReadChunk, sentences: Sequence[str]) -> Iterator[Passage]:
    for headings, under in _sections(sentences):
        above = " ".join((chunk.title, *headings))
        answer = list(takewhile(_is_prose, under)) if headings and headings[-1].endswith(_QUESTION_MARKS) else []
        yield from _answer(chunk.number, headings[-1] if headings else "", above, answer)
        yield from _of_section(chunk.number, above, under[len(answer) :])


def _sections(sentences: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the sentences under each heading, after the headings that they stand under."""
    headings: dict[int, str] = {}
    under: list[str] = []
    for sentence in sentences:
        if heading := _HEADING.match(sentence):
            yield list(headings.values()), under
            level = heading.group().count("#")
            headings = {depth: text for depth, text in headings.items() if depth < level}
            headings[level] = _plain(sentence)
            under = []
        else:
            under.append(sentence)
    yield list(headings.values()), under


def _of_section(number: int, above: str, sentences: Sequence[str]) -> Iterator[Passage]:
    header: list[str] = []
    before_rule = lead = before = ""
    for sentence in sentences:
        if sentence.startswith("|"):
            if _RULE.fullmatch(sentence):
                header = _cells(before_rule)
            elif header:
                yield Passage(number, _row(header, _cells(sentence)), f"{above} {lead}", entry=True)
            before_rule = sentence
        else:
            header = []
            item = _ITEM.match(sentence)
            lead = lead if item else sentence if sentence.endswith(":") else ""
            if not sentence.endswith((":", *_QUESTION_MARKS)):
                context = f"{above} {lead if item else before}"
                before = "" if item else sentence
                yield Passage(number, _plain(sentence), context, entry=item is not None)


def _is_prose(sentence: str) -> bool:
    """Tell whether it is neither a list's item, a row of a table, what begins one, nor a question."""
    return not (sentence.startswith("|") or sentence.endswith((":", *_QUESTION_MARKS)) or _ITEM.match(sentence))


def _fields(text: str) -> list[re.Match[str]]:
    """Return the lines of fields that a record begins with."""
    fields: list[re.Match[str]] = []
    while (field := _FIELD.match(text, fields[-1].end() if fields else 0)) and _is_prose(field.group().strip()):
        fields.append(field)
    return fields


def _sentences(text: str) -> list[str]:
    """Return the sentences on one line each."""
    return list(filter(None, (" ".join(text[start:end].split()) for start, end in sentence_spans(text))))


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
