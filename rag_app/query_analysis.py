"""Stage 1, query analysis: language, complexity and intent. It informs; it changes nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from typing import Any

import yaml

from rag_app.persian import PersianAnalyzer
from rag_app.persian.language import CONNECTIVES, QUESTION_MARKS, QUESTION_WORDS, detect_language
from rag_app.schema import QueryAnalysis


class QueryRouter:
    """Finds the intent of a question by the phrases of each intent.

    Args:
        intents: phrases and sources by intent; the shipped ones, in Persian and English, if None.
    """

    def __init__(self, intents: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._analyzer = PersianAnalyzer()
        self._given = intents

    @cached_property
    def _intents(self) -> dict[str, tuple[list[frozenset[str]], tuple[str, ...]]]:
        shipped = resources.files("rag_app").joinpath("intents.yaml")
        given = yaml.safe_load(shipped.read_text("utf-8")) if self._given is None else self._given
        return {
            intent: (
                [frozenset(self._analyzer.tokens(phrase)) for phrase in entry["phrases"]],
                tuple(entry["sources"]),
            )
            for intent, entry in given.items()
        }

    def route(self, query: str) -> tuple[str, tuple[str, ...]]:
        """Return the intent with the most matching phrases, and its sources; "general" and none if nothing matches."""
        words = set(self._analyzer.tokens(query))
        matches = {
            intent: sum(len(phrase) for phrase in phrases if phrase <= words)
            for intent, (phrases, _) in self._intents.items()
        }
        best = max(matches, key=lambda intent: matches[intent], default="general")
        return (best, self._intents[best][1]) if matches.get(best) else ("general", ())


class QueryAnalyzer:
    """Finds the language, complexity and intent of a question."""

    def __init__(self, router: QueryRouter | None = None) -> None:
        self._router = router or QueryRouter()
        self._analyzer = PersianAnalyzer()

    def analyze(self, query: str) -> QueryAnalysis:
        """Return what the question shows of itself."""
        words = self._analyzer.words(query)
        complexity, reason = self._complexity(query, words)
        intent, sources = self._router.route(query)
        return QueryAnalysis(detect_language(query), complexity, reason, intent, sources)

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
