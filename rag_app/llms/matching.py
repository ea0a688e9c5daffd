"""How far a text holds the words of a question."""

from __future__ import annotations

from collections.abc import Sequence

from rag_app.persian import idf
from rag_app.schema import QueryWord

Forms = Sequence[Sequence[str]]
Held = Sequence[float]
"""For each word of a question the similarity, 0 to 1, of the best word of a text that it may stand for."""


class Matching:
    """Finds the words of a question in texts, each by all that it may stand for."""

    def __init__(self, words: Sequence[QueryWord]) -> None:
        typed = [word.typed for word in words]
        self._weights = [0.0 if word.typed in typed[:at] else word.weight for at, word in enumerate(words)]
        self._total = sum(self._weights)
        self._meanings: dict[str, list[tuple[int, float]]] = {}
        for at, word in enumerate(words):
            for match, similarity in word.matches.items():
                self._meanings.setdefault(match, []).append((at, similarity))

    def held(self, text: Forms) -> Held:
        """Return what the text, given by the forms of its words, holds of the question."""
        best = [0.0] * len(self._weights)
        for forms in text:
            for form in forms:
                for at, similarity in self._meanings.get(form, ()):
                    best[at] = max(best[at], similarity)
        return best

    def share(self, held: Held) -> float:
        """Return the share of the question's weight that is held; 0 of a question without words."""
        return sum(map(float.__mul__, held, self._weights)) / self._total if self._total else 0.0

    def precision(self, text: Forms) -> float:
        """Return the share of the text's own weight that the question has; 0 of a text without words."""
        weights = [idf(forms[0]) for forms in text]
        asked = [
            max((similarity for form in forms for _, similarity in self._meanings.get(form, ())), default=0.0)
            for forms in text
        ]
        return sum(map(float.__mul__, asked, weights)) / sum(weights) if weights else 0.0

    def density(self, text: Forms) -> float:
        """Return the share of the text's words that the question may mean; 0 of a text without words."""
        return sum(any(form in self._meanings for form in forms) for forms in text) / max(len(text), 1)
