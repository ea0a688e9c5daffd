"""What a question of a conversation leans on, and the question with it put in: «هزینه‌ش چقدره؟» after a course."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from rag_app.persian.said import Role, Said, SaidWord

_MOST_SUBJECT_WORDS = 8
_FRAGMENT_WORDS, _OBJECT_WORDS = 4, 2
_ASKING_END = re.compile(r"(?<![\s؟?!.،,])[\s؟?!.،,]++$")  # tried once for each run, not at each of its characters
_LINKING = re.compile(r"^[\s،,]*")
_TELLING = (Role.SUBJECT, Role.POSSESSED)


@dataclass(frozen=True)
class Reference:
    """What in a question leans on what was said before.

    Attributes:
        words: the words that do, as typed.
        changes_subject: whether the question, resolved, has another subject than the one before.
        resolve: returns the question that stands alone, given the subject and the question before.
    """

    words: str
    changes_subject: bool
    resolve: Callable[[str, str], str]


def subject_of(question: str) -> str | None:
    """Return the words of a question that say what it is about; None if none do.

    >>> subject_of("شهریه دوره آیلتس چقدره؟"), subject_of("شهریه چقدره؟"), subject_of("ممنون")
    ('دوره آیلتس', 'شهریه', None)
    """
    said = Said.of(question)
    words = said.with_role(*_TELLING) or said.with_role(Role.MEASURE, Role.CONTACT)
    shown = [word.kept if word.role is Role.POSSESSED else word.text for word in words]
    return " ".join(shown[:_MOST_SUBJECT_WORDS]) or None


def reference_in(question: str) -> Reference | None:
    """Return what in a question leans on what was said before; None if it stands alone."""
    said = Said.of(question)
    for find in (_named, _pronoun, _possessed, _fragment, _without_subject):
        if (found := find(said)) is not None:
            return found
    return None


def _named(said: Said) -> Reference | None:
    """Find «این دوره»: a demonstrative with a noun that any subject may be called by."""
    for this, noun in pairwise(said.words):
        if this.form in said.lexicon["demonstratives"] and _adjacent(said, this, noun):
            name = _general(noun, said)
            if name is not None and not _stands_behind_a_subject(said, this):
                return Reference(f"{this.text} {noun.text}", False, partial(_put_for_named, said, this, noun, name))
    return None


def _put_for_named(said: Said, this: SaidWord, noun: SaidWord, name: str, subject: str, _: str) -> str:
    """Put the subject for «این دوره», and keep its noun if the subject has another one."""
    if name in map(said.lexicon.form, subject.split()):
        return _with(said, this.start, noun.end, subject)
    return _with(said, this.start, noun.end, f"{noun.kept or noun.text} {subject}")


def _put_for(said: Said, word: SaidWord, subject: str, _: str) -> str:
    """Put the subject for a pronoun, or behind what belongs to it."""
    return _with(said, word.start, word.end, f"{word.kept} {subject}".strip())


def _general(noun: SaidWord, said: Said) -> str | None:
    """Return the noun's form if any subject may be called by it."""
    general = said.lexicon["general"]
    return next((form for form in (noun.form, noun.form.removesuffix("ها").removesuffix("و")) if form in general), None)


def _pronoun(said: Said) -> Reference | None:
    """Find «اون», «باهاش», "it", unless the question itself says before what it stands for."""
    for place, word in enumerate(said.words):
        if word.role is not Role.PRONOUN:
            continue
        if (
            _names_something(said, place)
            or _stands_behind_a_subject(said, word)
            or _stands_for_nothing(said, place)
            or _joins(said, place)
        ):
            continue
        return Reference(word.text, False, partial(_put_for, said, word))
    return None


def _names_something(said: Said, place: int) -> bool:
    """Tell whether a demonstrative stands before a noun: «این هفته», «این کتابِ آبی»."""
    if place + 1 == len(said.words) or said.words[place].form not in said.lexicon["demonstratives"]:
        return False
    this, noun = said.words[place : place + 2]
    return _adjacent(said, this, noun) and (noun.form in said.lexicon["times"] or noun.role in _TELLING)


def _is_explained(said: Said, place: int) -> bool:
    return _stands_behind_a_subject(said, said.words[place])


def _stands_for_nothing(said: Said, place: int) -> bool:
    """Tell whether an English "it" is that of "is it possible"."""
    return any(word.form in said.lexicon["empty"] for word in said.words[place + 1 : place + 4])


def _joins(said: Said, place: int) -> bool:
    """Tell whether an English "that" begins a clause: "can you check that my letter ..."."""
    if said.words[place].form != "that" or not 0 < place < len(said.words) - 1:
        return False
    return said.words[place - 1].form not in said.lexicon["before_a_thing"]


def _possessed(said: Said) -> Reference | None:
    """Find «هزینه‌ش», unless the question says before whose it is."""
    for word in said.with_role(Role.POSSESSED):
        before = [other for other in said.words if other.end <= word.start and other.role is Role.SUBJECT]
        if before and (word.part or _stands_behind_a_subject(said, word)):
            continue
        return Reference(word.text, False, partial(_put_for, said, word))
    return None


def _fragment(said: Said) -> Reference | None:
    """Find «و برای بچه‌ها؟», «آنلاین چی؟», "what about kids?": a piece that takes the place of one before."""
    lexicon, words = said.lexicon, list(said.words)
    if not words or said.has(Role.VERB, Role.SPEAKER, Role.PRONOUN):
        return None
    opened = words[0].form in lexicon["opening"] and len(words) > 1
    asked = words[-1].form in lexicon["what_of_it"] and len(words) > 1
    led = _length_of_lead(said)
    telling = words[max(led, int(opened)) : len(words) - int(asked)]
    if not telling or not any(word.role in _TELLING for word in telling) or len(telling) > _FRAGMENT_WORDS:
        return None
    prepositional = telling[0].form in lexicon["prepositions"]
    if not (opened or asked or led or prepositional):
        return None
    if any(word.role is Role.FUNCTION and word.form not in lexicon["prepositions"] for word in telling):
        return None
    piece = said.text[telling[0].start : telling[-1].end]

    added = prepositional or any(word.form in lexicon["manners"] for word in telling)

    def put_in(_: str, previous: str) -> str:
        return f"{_ASKING_END.sub('', previous)} {piece}" if added else _exchanged(previous, piece, len(telling))

    return Reference(piece, True, put_in)


def _exchanged(previous: str, piece: str, words: int) -> str:
    """Return a question with a piece for the last words of its subject, as many as the piece has."""
    subject = Said.of(previous).with_role(*_TELLING)[-words:]
    if not subject:
        return f"{_ASKING_END.sub('', previous)} {piece}"
    return f"{previous[: subject[0].start]}{piece}{previous[subject[-1].end :]}"


def _length_of_lead(said: Said) -> int:
    """Return how many words "what about" and its like have at the beginning."""
    forms = [word.form for word in said.words]
    for phrase in said.lexicon["about"]:
        lead = phrase.split()
        if forms[: len(lead)] == lead and len(forms) > len(lead):
            return len(lead) if lead[-1] == "about" else len(lead) - 1
    return 0


def _without_subject(said: Said) -> Reference | None:
    """Find «کی شروع میشه؟», «تخفیف هم داره؟»: a question that somebody asks of something it does not name."""
    lexicon = said.lexicon
    if said.has(Role.SPEAKER, Role.PRONOUN) or not said.words:
        return None
    counted = {
        right.start
        for left, right in pairwise(said.words)
        if left.form in lexicon["counting"] and _is_unit(right, said)
    }
    objects = [word for word in said.with_role(*_TELLING, Role.CONTACT) if word.start not in counted]
    if not objects:
        if not (said.has(Role.MEASURE, Role.VERB) or any(word.form in lexicon["asking"] for word in said.words)):
            return None
    elif len(objects) > _OBJECT_WORDS or said.has(Role.MEASURE):
        return None
    else:
        last, also = said.words[-1], any(word.form in lexicon["also"] for word in said.words)
        if last.form not in lexicon["has"] or not (also or len(objects) == 1 == len(said.words) - 1):
            return None
        if not also and last.form not in lexicon["having"]:
            return None

    def put_in(subject: str, _: str) -> str:
        words = said.words[1:] if said.words[0].form in lexicon["opening"] and len(said.words) > 1 else said.words
        return f"{subject} {_LINKING.sub('', said.text[words[0].start :])}"

    return Reference(said.text.strip(), False, put_in)


def _is_unit(word: SaidWord, said: Said) -> bool:
    return any(word.form.startswith(unit) and len(word.form) <= len(unit) + 3 for unit in said.lexicon["units"])


def _stands_behind_a_subject(said: Said, word: SaidWord) -> bool:
    """Tell whether a subject is named before a word, with something else between: «کتابم رسید ولی اون ...»."""
    before = list(_before(said.words, word))
    while before and before[-1].role is Role.SUBJECT:
        before.pop()
    return any(other.role is Role.SUBJECT for other in before)


def _before(words: Sequence[SaidWord], word: SaidWord) -> Iterator[SaidWord]:
    return (other for other in words if other.end <= word.start)


def _adjacent(said: Said, left: SaidWord, right: SaidWord) -> bool:
    return not said.text[left.end : right.start].strip()


def _with(said: Said, start: int, end: int, text: str) -> str:
    return f"{said.text[:start]}{text}{said.text[end:]}"
