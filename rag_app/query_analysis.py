"""Stage 1, query analysis: language, complexity and intent. It informs; it changes nothing by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from typing import Any

import yaml

from rag_app.persian import PersianAnalyzer
from rag_app.schema import QueryAnalysis

_PERSIAN_LETTER = re.compile(r"[\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff]")
_LATIN_LETTER = re.compile(r"[A-Za-z]")
_ENGLISH_WORDS = frozenset(
    "a an and are at can do does for from have how i in is it many me much my of on or please the there to what when "
    "where which who why will with you your".split()
)
_FINGLISH_WORDS = frozenset(
    "aya baraye bara chand chande chandeh chi chie chera cheghad cheghadr cheghadre chetor chetore chetori chejori dare "
    "darid darin ham hast hastin hazine kar kay kei kojast koja kojaye ke mikham mixam mishe mikonam nist salam sharayet "
    "shoma mirese dastam ro va ya baz bekharam gheymat gheymate mamnoon merci khob hamin haminja kodom".split()
)
_QUESTION_WORDS = frozenset(
    "چه چی چیست چیه چرا چطور چطوری چگونه چند چقدر چقد کجا کجاست کی کدام کدوم آیا what when where which who why how".split()
)
_CONNECTIVES = frozenset("و ولی اما یا همچنین بعدش بعد اگر اگه and but or also then if".split())
_MIXED_SHARE = 0.2


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
        return QueryAnalysis(_language(query, words), complexity, reason, intent, sources)

    def _complexity(self, query: str, words: list[str]) -> tuple[str, str]:
        questions = max(
            query.count("؟") + query.count("?"), sum(word in _FOLDED_QUESTION_WORDS for word in words)
        )
        connectives = sum(word in _CONNECTIVES for word in words)
        if questions > 1:
            return "complex", f"{questions} questions"
        if len(words) > 20:
            return "complex", f"{len(words)} words"
        if connectives > 1 or len(words) > 8:
            return "moderate", f"{len(words)} words, {connectives} connectives"
        return "simple", f"{len(words)} words"


_FOLDED_QUESTION_WORDS = frozenset(PersianAnalyzer().words(" ".join(_QUESTION_WORDS)))


def _language(query: str, words: list[str]) -> str:
    persian = len(_PERSIAN_LETTER.findall(query))
    latin = len(_LATIN_LETTER.findall(query))
    if not persian and not latin:
        return "unknown"
    share = latin / (persian + latin)
    if _MIXED_SHARE < share < 1 - _MIXED_SHARE:
        return "mixed"
    if share < 1 / 2:
        return "fa"
    english, finglish = (sum(word in known for word in words) for known in (_ENGLISH_WORDS, _FINGLISH_WORDS))
    return "finglish" if finglish > english else "en"
