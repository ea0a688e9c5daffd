"""How far a text holds the words of a question."""

from __future__ import annotations

from collections.abc import Container, Sequence

from rag_app.persian import idf
from rag_app.schema import QueryWord

Forms = Sequence[Sequence[str]]
Held = Sequence[float]
"""For each word of a question the similarity, 0 to 1, of the best word of a text that it may stand for."""


class Matching:
    """Finds the words of a question in texts, each by all that it may stand for.

    Args:
        words: those of the question.
        sought: the words that ask for a figure, such as a price. A sentence that gives it often leaves out of what.
    """

    def __init__(self, words: Sequence[QueryWord], sought: Container[str] = ()) -> None:
        typed = [word.typed for word in words]
        self._weights = [0.0 if word.typed in typed[:at] else word.weight for at, word in enumerate(words)]
        seeking = [word.typed in sought or word.meant in sought for word in words]
        self._sentence_weights = _at_least_half(self._weights, seeking)
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
        return _share(held, self._weights)

    def share_of_sentence(self, held: Held) -> float:
        """Return the share that a sentence holds by itself; there what is sought weighs no less than the rest."""
        return _share(held, self._sentence_weights)

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


def _at_least_half(weights: Sequence[float], raised: Sequence[bool]) -> list[float]:
    """Return the weights, some of them raised until together they weigh as much as the others."""
    own = sum(weight for weight, is_raised in zip(weights, raised, strict=True) if is_raised)
    factor = max(1.0, (sum(weights) - own) / own) if own else 1.0
    return [weight * factor if is_raised else weight for weight, is_raised in zip(weights, raised, strict=True)]


def _share(held: Held, weights: Sequence[float]) -> float:
    total = sum(weights)
    return sum(map(float.__mul__, held, weights)) / total if total else 0.0
