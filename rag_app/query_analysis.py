"""Stage 1, query analysis: language, complexity and intent. It informs; it changes nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rag_app.errors import ConfigurationError, unknown_name
from rag_app.persian import PersianAnalyzer
from rag_app.persian.language import CONNECTIVES, QUESTION_MARKS, QUESTION_WORDS, detect_language
from rag_app.schema import QueryAnalysis
from rag_app.yaml_file import load_yaml

_SHORTEST_STEM, _LONGEST_ENDING = 4, 5  # letters: «قیمت» is in «قیمتهاشون», but «پست» is not in «پسته»
_KEYS = ("phrases", "sources")


def read_intents(file: Path) -> dict[str, Any]:
    """Return the intents of a YAML file, for `QueryRouter` to check.

    Raises:
        ConfigurationError: the file is missing, is no YAML, or holds no mapping.
    """
    content = load_yaml(file, "intents file")
    if not isinstance(content, dict):
        raise ConfigurationError(f"the intents file {file} must map intents to phrases and sources")
    return content


class Route(NamedTuple):
    """What a question wants.

    Attributes:
        intent: the intent, or "general".
        reason: the phrases that matched, each with the question's own forms of its words where they differ.
        sources: the sources that the intent is usually answered from, best first.
    """

    intent: str
    reason: str
    sources: tuple[str, ...]


class QueryRouter:
    """Finds the intent of a question by the phrases of each intent.

    A phrase matches when the question holds each of its words, in any order. There a word of four letters or more may
    have an ending of up to five, as «هزینه» in «هزینه‌هاش», and a word with a half-space may be written with a space or
    with nothing. The intent with the most words in matching phrases wins, and of equals the first.

    Args:
        intents: the `phrases` and `sources` of each intent; the shipped ones, in Persian and English, if None.
        origin: what errors name the intents by, such as their file.

    Raises:
        ConfigurationError: an intent holds something else than a list of phrases and a list of sources.
    """

    def __init__(self, intents: Mapping[str, Any] | None = None, origin: str = "intents") -> None:
        self._analyzer = PersianAnalyzer()
        if intents is None:
            intents = yaml.safe_load(resources.files("rag_app").joinpath("intents.yaml").read_text("utf-8"))
        self._sources: dict[str, tuple[str, ...]] = {}
        self._phrases: list[tuple[str, str, list[str]]] = []
        for name, entry in intents.items():
            intent = str(name)
            _check(entry, f"{origin}: intent {intent!r}")
            self._sources[intent] = tuple(entry.get("sources", ()))
            self._phrases += [(intent, phrase, self._analyzer.words(phrase)) for phrase in entry["phrases"]]

    def route(self, query: str) -> Route:
        """Return the intent of the question; "general" if no phrase matches."""
        words, tokens = self._analyzer.words(query), self._analyzer.tokens(query)
        tokens = [*(left + right for left, right in pairwise(words)), *tokens]  # words of their own win
        held = {word[:cut]: word for word in tokens for cut in range(_shortest(word), len(word))}
        held |= dict(zip(tokens, tokens, strict=True))
        counts: dict[str, int] = dict.fromkeys(self._sources, 0)
        matched: dict[str, list[str]] = {intent: [] for intent in self._sources}
        for intent, phrase, needed in self._phrases:
            if all(word in held for word in needed):
                counts[intent] += len(needed)
                forms = " ".join(held[word] for word in needed if held[word] != word)
                matched[intent].append(f"{phrase} ({forms})" if forms else phrase)
        best = max(counts, key=lambda intent: counts[intent], default="")
        if not counts.get(best):
            return Route("general", "no phrase matches", ())
        return Route(best, ", ".join(matched[best]), self._sources[best])


def _shortest(word: str) -> int:
    return max(_SHORTEST_STEM, len(word) - _LONGEST_ENDING)


def _check(entry: Any, where: str) -> None:
    """Refuse what is no intent; `where` names it."""
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"{where} must map phrases and sources to lists, not be {entry!r:.80}")
    for key in entry:
        if key not in _KEYS:
            raise ConfigurationError(f"{where}: {unknown_name('key', str(key), _KEYS)}")
    if not entry.get("phrases"):
        raise ConfigurationError(f"{where} has no phrases")
    for key, values in entry.items():
        if not isinstance(values, list):
            raise ConfigurationError(f"{where}: {key} must be a list, not {values!r:.80}")
        for value in values:
            if not isinstance(value, str) or not PersianAnalyzer().words(value):
                raise ConfigurationError(f"{where}: {key} must hold texts, in quotes if need be, not {value!r:.80}")


class QueryAnalyzer:
    """Finds the language, complexity and intent of a question."""

    def __init__(self, router: QueryRouter | None = None) -> None:
        self._router = router or QueryRouter()
        self._analyzer = PersianAnalyzer()

    def analyze(self, query: str) -> QueryAnalysis:
        """Return what the question shows of itself."""
        complexity, reason = self._complexity(query, self._analyzer.words(query))
        route = self._router.route(query)
        return QueryAnalysis(
            language=detect_language(query),
            complexity=complexity,
            complexity_reason=reason,
            intent=route.intent,
            intent_reason=route.reason,
            preferred_sources=route.sources,
        )

    @staticmethod
    def _complexity(query: str, words: list[str]) -> tuple[str, str]:
        questions = max(len(QUESTION_MARKS.findall(query)), sum(word in QUESTION_WORDS for word in words))
        connectives = sum(word in CONNECTIVES for word in words)
        if questions > 1:
            return "complex", f"{questions} questions"
        if len(words) > 20:
            return "complex", f"{len(words)} words"
        if connectives > 1 or len(words) > 8:
            return "moderate", f"{len(words)} words, {connectives} connectives"
        return "simple", f"{len(words)} words"
