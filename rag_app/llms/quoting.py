"""Which passages of the context answer a question best."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from rag_app.gemini import ReadChunk
from rag_app.llms.matching import Forms, Matching
from rag_app.llms.passages import Passage, passages_of
from rag_app.persian import Lexicons, PersianAnalyzer, Vocabulary

# What makes a score: the question's words in the passage, those in the passage and its context, how much of the passage
# is asked for, the place of its chunk among the chunks, and a number in it if the question asks for one.
_PASSAGE, _CONTEXT, _DENSITY, _PLACE, _NUMBER = 0.55, 0.4, 0.1, 0.05, 0.05
_ENTRY = (0.35, 0.6)  # the first two for an entry of a list or a table, of which what it stands under says what it is
_FAQ = (0.75, 0.35)  # an answer of the FAQ, and besides by how much of its own question is asked
_FIELD = (0.4, 0.7, 0.15)  # a field of a record, and besides by how much of its name, and of its value, is asked
_LEAST_SCORE = 0.45  # refuses 1 of 200 PQuAD questions with its own context, and 191 of 198 with another question's
_NEARLY_AS_GOOD = 0.9
_MOST_QUOTES = 3
_SAME_WORDS = 0.6
_UNIT = re.compile(r"\([^()]*\)")  # «قیمت (تومان)»
_DIGIT = re.compile(r"\d")
_PRICE = frozenset(["قیمت", "هزینه", "مبلغ", "شهریه", "نرخ", "تعرفه", "چنده", "چندتومن", "price", "cost"])
_ASKS_NUMBER = frozenset(
    "چند چنده چندتا چقدر چقدره چقد چقده قیمت هزینه مبلغ شهریه ساعت شماره تاریخ درصد کی when many much price".split()  # noqa: SIM905 - as words are written
)


def best_quotes(question: str, chunks: Sequence[ReadChunk]) -> list[Passage]:
    """Return the passages that answer the question, the best first; none if nothing fits well enough.

    A word of the question counts by its weight, times the similarity of the best word that it may stand for.
    """
    scored = score_passages(question, chunks)
    return _chosen([(score, passage) for score, passage in scored if score >= _LEAST_SCORE])


def score_passages(question: str, chunks: Sequence[ReadChunk]) -> list[tuple[float, Passage]]:
    """Return all passages with their scores, the best first."""
    passages = [passage for chunk in chunks for passage in passages_of(chunk)]
    if not passages:
        return []
    forms_of: Callable[[str], Forms] = cache(PersianAnalyzer().forms)
    texts = {text for passage in passages for text in (passage.text, passage.context, passage.question)}
    counts = Counter(word for text in texts for word in {form for forms in forms_of(text) for form in forms})
    words = Vocabulary.of_counts(counts, len(texts), _lexicons().of("")).read(question).words
    matching = Matching(words, _PRICE)
    asks_number = any({word.typed, word.meant} & _ASKS_NUMBER for word in words)

    def score(passage: Passage) -> float:
        text = matching.held(forms_of(passage.text))
        context = matching.held(forms_of(passage.context))
        if passage.question:
            asked = forms_of(passage.question)
            share = matching.share(_either(_either(text, context), matching.held(asked)))
            fit = (_PASSAGE + _CONTEXT) * share * (_FAQ[0] + _FAQ[1] * matching.precision(asked))
        elif passage.field:
            name, value = (matching.precision(forms_of(part)) for part in (_UNIT.sub("", passage.field), passage.value))
            share = matching.share(_either(text, context))
            fit = (_PASSAGE + _CONTEXT) * share * (_FIELD[0] + _FIELD[1] * name + _FIELD[2] * value)
        else:
            of_text, of_context = _ENTRY if passage.entry else (_PASSAGE, _CONTEXT)
            fit = of_text * matching.share_of_sentence(text) + of_context * matching.share(_either(text, context))
        return (
            fit
            + _DENSITY * matching.density(forms_of(passage.text))
            + _PLACE * (1 - (passage.number - 1) / len(chunks))
            + _NUMBER * (asks_number and bool(_DIGIT.search(passage.text)))
        )

    return sorted(((score(passage), passage) for passage in passages), key=lambda entry: -entry[0])


def _chosen(scored: Sequence[tuple[float, Passage]]) -> list[Passage]:
    """Return the best, and those that are nearly as good and say something else."""
    chosen: list[tuple[frozenset[str], Passage]] = []
    for score, passage in scored:
        if len(chosen) == _MOST_QUOTES or score < _NEARLY_AS_GOOD * scored[0][0]:
            break
        words = frozenset(PersianAnalyzer().words(passage.text))
        if not any(_within(words, others) for others, _ in chosen):
            chosen.append((words, passage))
    return [passage for _, passage in chosen]


def _either(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return list(map(max, one, other))


def _within(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether one says nothing that the other does not: it has most of its words, and all of its numbers."""
    numbers = {word for word in one if _DIGIT.search(word)}
    return len(one & other) >= _SAME_WORDS * len(one) and numbers <= other


@cache
def _lexicons() -> Lexicons:
    return Lexicons()
