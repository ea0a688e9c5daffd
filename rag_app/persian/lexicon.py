"""Synonyms and courtesies: the shipped ones, and those that a deployment or a tenant adds in a YAML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from rag_app.errors import ConfigurationError, unknown_name
from rag_app.persian.analyzer import PersianAnalyzer
from rag_app.persian.frequencies import hazm_data
from rag_app.persian.inflection import stem
from rag_app.persian.packed import PackedWords
from rag_app.persian.words import Words
from rag_app.yaml_file import load_yaml

_SECTIONS = ("synonyms", "courtesies")
Entries = Mapping[str, Sequence[Any]]


class Lexicon:
    """Which words mean the same, and which say nothing of what is asked.

    Args:
        entries: `synonyms`, a list of groups of words, and `courtesies`, a list of phrases; several are added up.
    """

    def __init__(self, *entries: Entries) -> None:
        self._entries = entries
        self._analyzer = PersianAnalyzer()

    @property
    def _groups(self) -> Iterable[Sequence[str]]:
        return (group for entries in self._entries for group in entries.get("synonyms", ()))

    @cached_property
    def _synonyms(self) -> dict[str, frozenset[str]]:
        synonyms: dict[str, set[str]] = {}
        for group in self._groups:
            words = {"".join(self._analyzer.words(word)) for word in group}
            for word in words:
                synonyms.setdefault(word, set()).update(words - {word})
        return {word: frozenset(others) for word, others in synonyms.items()}

    @cached_property
    def words(self) -> Words:
        """The folded words that have synonyms; one object for all vocabularies that begin with them."""
        return Words().with_more(PackedWords.of(self._synonyms))

    @cached_property
    def _compounds(self) -> dict[str, tuple[str, ...]]:
        forms = (self._analyzer.forms(word) for group in self._groups for word in group)
        return {joined: tuple(parts) for ((joined, *parts), *others) in forms if parts and not others}

    @cached_property
    def _courtesies(self) -> frozenset[tuple[str, ...]]:
        phrases = (phrase for entries in self._entries for phrase in entries.get("courtesies", ()))
        return frozenset(tuple(self._analyzer.words(phrase)) for phrase in phrases)

    @cached_property
    def _longest(self) -> dict[str, int]:
        """How many words the longest courtesy has that begins with a word."""
        longest: dict[str, int] = {}
        for first, *others in self._courtesies:
            longest[first] = max(longest.get(first, 0), 1 + len(others))
        return longest

    def synonyms(self, word: str) -> frozenset[str]:
        """Return the other words of the groups that a folded word, or its stem, is in."""
        return self._synonyms.get(word) or self._synonyms.get(stem(word), frozenset())

    def parts(self, word: str) -> tuple[str, ...]:
        """Return the parts of a folded word that a group writes with a half-space; none for any other."""
        return self._compounds.get(word, ())

    def without_courtesies(self, words: Sequence[str]) -> list[str]:
        """Return the folded words of a question without the courtesies in it; all of them if nothing else is said."""
        kept: list[str] = []
        at = 0
        while at < len(words):
            sizes = range(self._longest.get(words[at], 0), 0, -1)
            size = next((size for size in sizes if tuple(words[at : at + size]) in self._courtesies), 0)
            kept += words[at : at + 1] if not size else ()
            at += size or 1
        return kept or list(words)


class Lexicons:
    """The lexicon of each tenant: what is shipped, what the file adds for all, and what it adds for the tenant.

    Args:
        file: YAML with `synonyms` and `courtesies`, and under `tenants`, by tenant, the same again.

    Raises:
        ConfigurationError: the file is missing, is no YAML, or holds something else.
    """

    def __init__(self, file: Path | None = None) -> None:
        given = _read(file) if file is not None else {}
        self._tenants: dict[str, Entries] = given.pop("tenants", {})
        self._common = (_shipped(), given)
        self._of = lru_cache(maxsize=1000)(self._build)

    def of(self, tenant: str) -> Lexicon:
        """Return the lexicon of `tenant`."""
        return self._of(tenant if tenant in self._tenants else "")

    def _build(self, tenant: str) -> Lexicon:
        return Lexicon(*self._common, self._tenants.get(tenant, {}))


@lru_cache(maxsize=1)
def _shipped() -> Entries:
    file = resources.files("rag_app.persian").joinpath("lexicon.yaml")
    entries: dict[str, list[Any]] = yaml.safe_load(file.read_text("utf-8"))
    entries["synonyms"] += [line.split(" ", 1) for line in hazm_data("iwords.dat") if " " in line]
    return entries


def _read(file: Path) -> dict[str, Any]:
    given = load_yaml(file, "lexicon")
    given = {} if given is None else given
    _check(given, str(file), (*_SECTIONS, "tenants"))
    tenants = given.get("tenants", {})
    if not isinstance(tenants, dict):
        raise ConfigurationError(
            f"{file}: tenants must map tenants to their entries, not be a {type(tenants).__name__}"
        )
    for tenant, entries in tenants.items():
        if not isinstance(tenant, str):
            raise ConfigurationError(f"{file}: tenants: {tenant!r} is no text: write it in quotes")
        _check(entries, f"{file}: tenants: {tenant}", _SECTIONS)
    return dict(given)


def _check(entries: object, where: str, sections: Iterable[str]) -> None:
    if not isinstance(entries, dict):
        raise ConfigurationError(
            f"{where} must map {' and '.join(_SECTIONS)} to lists, not be a {type(entries).__name__}"
        )
    for section, listed in entries.items():
        if section not in sections:
            raise ConfigurationError(f"{where}: {unknown_name('section', str(section), sections)}")
        if section == "synonyms" and not _all(listed, lambda group: _all(group, _is_word) and len(group) > 1):
            raise ConfigurationError(
                f"{where}: synonyms must be a list of groups of two or more words, as [[پول, وجه]]"
            )
        if section == "courtesies" and not _all(listed, _is_word):
            raise ConfigurationError(f"{where}: courtesies must be a list of phrases, as [وقت بخیر]")


def _all(listed: object, valid: Any) -> bool:
    return isinstance(listed, list) and all(map(valid, listed))


def _is_word(word: object) -> bool:
    return isinstance(word, str) and bool(PersianAnalyzer().words(word))
