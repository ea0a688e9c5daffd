"""The words of a question by what they do in it: name its subject, ask, or lean on what was said before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources
from typing import Any

import yaml

from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.frequencies import RAREST_IDF, counted_idf
from rag_app.persian.inflection import verb_forms
from rag_app.persian.language import CONNECTIVES, QUESTION_WORDS, detect_language, plain_latin

_MARKS = "\u0640\u064b-\u065f\u0670\u200b-\u200d"
_WORD = re.compile(rf"\w[\w{_MARKS}]*(?:['’]\w+)?")
_CLITIC = re.compile(r"^(.{3,}?)ی?(?:ا?شون|ا?شان|ا?ش)(?:و|رو|م|ه)?$")
# The look-behind keeps a long run of marks from being tried at each of them.
_HALF_SPACED_CLITIC = re.compile(rf"^(.{{2,}}?)(?<![{_MARKS}])[{_MARKS}]++ی?(?:ا?شون|ا?شان|ا?ش)(?:و|رو|م|ه)?$")
_NOUN_OF_VERB = re.compile(r"(?<!ه)ایش$")  # «گنجایش»
_LATIN_CLITIC = re.compile(r"^(.{3,}?)(?:[aei]|ya|ye)?sh(?:oo?n|un|an)?(?:o|ro|am|e)?$")
_CLITIC_ALONE = frozenset(["ش", "اش", "شون", "شان", "اشون", "اشان", "esh", "ash", "eshun"])
_PLURAL = re.compile(r"(?:ها|ا)$")
_FIRST_OR_SECOND = re.compile(r"(?:م|ید|ین|ی)$")
_LATIN_VERB = re.compile(r"(?:ne)?mi[a-z]{2,}|be[a-z]{2,}(?:am|id|in)")
_LATIN_FIRST_OR_SECOND = re.compile(r"(?:am|id|in|i)$")


class Role(Enum):
    """What a word does in a question."""

    SUBJECT = "names what the question is about"
    MEASURE = "asks for a figure that anything may have, such as its price"
    CONTACT = "asks how somebody is reached"
    PRONOUN = "stands for what was said before"
    POSSESSED = "belongs to what was said before"
    SPEAKER = "a verb or pronoun of the customer or the business"
    VERB = "a verb of somebody else"
    FUNCTION = "tells nothing of the subject"


@dataclass(frozen=True)
class SaidWord:
    """A word of a question.

    Attributes:
        start: where it begins in the question.
        end: where it ends.
        form: how it is compared.
        kept: what stays of it where a possessor or pronoun is taken out.
        part: whether what is possessed is something that every subject has, so that a subject before it possesses it.
    """

    text: str
    start: int
    end: int
    form: str
    role: Role
    kept: str = ""
    part: bool = False


class Words:
    """The words of `references.yaml` in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        entries: dict[str, Any] = _entries()[language]
        self.pronouns = {self.form(word): kept for word, kept in entries["pronouns"].items()}
        self._sets = {name: self._forms(words) for name, words in entries.items() if name != "pronouns"}
        if language == "persian":
            self._sets["functions"] |= QUESTION_WORDS | CONNECTIVES

        self.had = self["parts"] | self["measures"] | self["contacts"]
        self.had_or_asked = self.had | self["functions"]

    def __getitem__(self, name: str) -> frozenset[str]:
        return self._sets.get(name, frozenset())

    def form(self, word: str) -> str:
        """Return a word as words of this language are compared."""
        folded = "".join(PersianAnalyzer().words(word)) if self.language != "english" else word.lower()
        return plain_latin(folded) if self.language == "finglish" else folded.replace("’", "'")

    def _forms(self, words: Iterable[str]) -> frozenset[str]:
        return frozenset(map(self.form, words))


@dataclass(frozen=True)
class Said:
    """A question taken apart."""

    text: str
    words: tuple[SaidWord, ...]
    lexicon: Words

    @classmethod
    def of(cls, text: str) -> Said:
        """Take a question apart."""
        language = {"en": "english", "finglish": "finglish"}.get(detect_language(text), "persian")
        lexicon = words_of(language)
        words: list[SaidWord] = []
        for found in _WORD.finditer(text):
            raw = found[0].rstrip("\u200b\u200c\u200d")
            word = _classified(raw, found.start(), found.start() + len(raw), lexicon)
            if word.form in _CLITIC_ALONE and words and not text[words[-1].end : word.start].strip():
                word = _possessed(words.pop(), word, lexicon)
            words.append(word)
        return cls(text, tuple(words), lexicon)

    def has(self, *roles: Role) -> bool:
        """Tell whether a word has one of these roles."""
        return any(word.role in roles for word in self.words)

    def with_role(self, *roles: Role) -> list[SaidWord]:
        """Return the words that have one of these roles."""
        return [word for word in self.words if word.role in roles]


@cache
def words_of(language: str) -> Words:
    """Return the words of a language of `references.yaml`."""
    return Words(language)


@cache
def _entries() -> dict[str, Any]:
    entries: dict[str, Any] = yaml.safe_load(
        resources.files("rag_app.persian").joinpath("references.yaml").read_text("utf-8")
    )
    return entries


def _classified(raw: str, start: int, end: int, lexicon: Words) -> SaidWord:
    form = lexicon.form(raw)
    if form in lexicon.pronouns:
        return SaidWord(raw, start, end, form, Role.PRONOUN, lexicon.pronouns[form])
    for name, role in (
        ("second_person", Role.SPEAKER),
        ("measures", Role.MEASURE),
        ("contacts", Role.CONTACT),
        ("functions", Role.FUNCTION),
        ("no_possessor", Role.FUNCTION),
    ):
        if form in lexicon[name]:
            return SaidWord(raw, start, end, form, role)
    if lexicon.language == "english" or (lexicon.language == "persian" and raw.isascii()):
        return SaidWord(raw, start, end, form, Role.SUBJECT)
    owned = _owned_latin(raw, lexicon) if lexicon.language == "finglish" else _owned(raw, form, lexicon)
    if owned is not None:
        return SaidWord(raw, start, end, form, Role.POSSESSED, owned, lexicon.form(owned) in lexicon.had_or_asked)
    return SaidWord(raw, start, end, form, _role_of_verb(form, lexicon) or Role.SUBJECT)


def _possessed(word: SaidWord, clitic: SaidWord, lexicon: Words) -> SaidWord:
    """Return a word with a possessor that was typed apart: «هزینه ش»."""
    part = word.form in lexicon.had
    return SaidWord(f"{word.text} {clitic.text}", word.start, clitic.end, word.form, Role.POSSESSED, word.text, part)


def _role_of_verb(form: str, lexicon: Words) -> Role | None:
    if lexicon.language == "finglish":
        if not _LATIN_VERB.fullmatch(form):
            return None
        return Role.SPEAKER if _LATIN_FIRST_OR_SECOND.search(form) else Role.VERB
    if form not in verb_forms():
        return None
    return Role.SPEAKER if _FIRST_OR_SECOND.search(form) else Role.VERB


def _owned(raw: str, form: str, lexicon: Words) -> str | None:
    """Return a Persian word without the «ش» or «شون» that stands for its possessor; None if it has none."""
    if (spaced := _HALF_SPACED_CLITIC.match(raw)) is not None:
        return spaced[1]
    if counted_idf(form) < RAREST_IDF or _NOUN_OF_VERB.search(form) or (joined := _CLITIC.match(form)) is None:
        return None
    bases = [joined[1] + ending for ending in ("", "ه", "ی", "یه")]
    had = next((base for base in bases if base in lexicon.had), None)
    return had or next((base for base in bases[:2] if counted_idf(base) < RAREST_IDF or _known_plural(base)), None)


def _known_plural(word: str) -> bool:
    single = _PLURAL.sub("", word)
    return len(single) > 2 and single != word and counted_idf(single) < RAREST_IDF


def _owned_latin(raw: str, lexicon: Words) -> str | None:
    """Return what of the known words a Latin word with "sh" or "shun" at its end is; None if it is none of them."""
    lowered = raw.lower()
    if (match := _LATIN_CLITIC.match(lowered)) is None:
        return None
    base = lexicon.form(match[1])
    for name in ("measures", "contacts", "parts"):
        for word in lexicon[name]:
            if base in (word, word.removesuffix("e"), word.removesuffix("ie")):
                return word
    return None
