"""Forms of one word, written and spoken: «کتاب‌هاشون» is a form of «کتاب», «میشه» one of «شدن»."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from rag_app.persian.frequencies import hazm_data, is_noun, is_singular

_SHORTEST_STEM = 3
# Verbs that mostly stand beside a noun that tells more: «ثبت‌نام کردن», «تخفیف گرفتن».
_LIGHT = "شد کرد بود داشت داد گرفت خواست توانست رفت امد گفت زد خورد گذاشت برد اورد دید دانست کشید ماند افتاد بایست"
_LIGHT_VERBS = frozenset(_LIGHT.split())
# Endings of plural, possessor, object and copula that other words hardly end in.
_CLEAR = (
    "هایشان هایمان هایتان هایی هایش هایم هایت های ها هاشون هامون هاتون هاش هام هات هاشو هارو ترین تر "
    "یشان یمان یتان شان مان تان شون مون تون اش ات ام اند ایم اید ش رو و"
)
# Endings that many words end in anyway: they are taken off a word that nobody knows alone.
_VAGUE = f"{_CLEAR} ا ی م ت ه ن ست س"
_SPOKEN_AN = re.compile(r"(?<=\w\w)ون(?=[هی]?$)")


def _pattern(endings: str) -> re.Pattern[str]:
    longest_first = sorted(endings.split(), key=len, reverse=True)
    return re.compile(rf"(?<=\w{{{_SHORTEST_STEM}}})(?:{'|'.join(longest_first)})$")


_CLEAR_ENDING, _VAGUE_ENDING = _pattern(_CLEAR), _pattern(_VAGUE)


def stem(word: str) -> str:
    """Return what the forms of a folded word have in common: a key to compare by, not a word.

    A verb becomes its infinitive; another word loses one ending of at most what leaves three letters, and a spoken «ون»
    becomes «ان». What only looks like an ending stays: «دارو», «سازمان».

    >>> stem("هزینهش"), stem("تهرون"), stem("دارو"), stem("میشه") == stem("شدند")
    ('هزینه', 'تهران', 'دارو', True)
    """
    infinitive = verb_forms().get(word)
    if infinitive is not None:
        return infinitive
    shorter = _CLEAR_ENDING.sub("", word)
    if shorter != word and is_singular(word):
        shorter = word
    return _SPOKEN_AN.sub("ان", shorter) if "ون" in shorter else shorter


def possible_stems(word: str) -> Iterator[str]:
    """Yield what is left of a folded word as one ending after the other is taken off, the longest first.

    >>> list(possible_stems("کتابامو"))
    ['کتابام', 'کتاب']
    """
    while (shorter := _VAGUE_ENDING.sub("", word)) != word:
        yield _SPOKEN_AN.sub("ان", shorter)
        word = shorter


@cache
def verb_forms() -> dict[str, str]:
    """Return the infinitive by form, of the verbs that hazm lists.

    A noun that looks like a form, as «میدان», «نمونه» and «بینی» do, is none.
    """
    spoken: dict[str, list[str]] = {}
    for line in hazm_data("iverbs.dat"):
        verb, present, _ = line.split(" ")
        spoken.setdefault(verb, []).append(present)
    forms: dict[str, str] = {}
    verbs = [tuple(verb.split("#")) for verb in hazm_data("verbs.dat") if not verb.startswith("#")]
    for past, present in sorted(verbs, key=lambda verb: verb[0] not in _LIGHT_VERBS):  # of two, the common one
        pasts = dict.fromkeys((past, past.replace("وان", "ون").replace("ان", "ون")))  # «توانست» is spoken «تونست»
        roots = [*pasts, present, _GLIDE.sub("", present), *spoken.get(f"{past}#{present}", [])]
        for form in _conjugated(pasts, present, roots, bare=past in _LIGHT_VERBS):
            forms.setdefault(form, f"{past}ن")
    for prefix in ("ا", "می", "نمی", "نی"):
        forms.update((f"{prefix}ومد{ending}", "امدن") for ending in ("", *_PERSONS, "ی", "ه"))
    return forms


@cache
def light_verbs() -> frozenset[str]:
    """Return the infinitives of verbs that tell little."""
    return frozenset(f"{past}ن" for past in _LIGHT_VERBS)


_GLIDE = re.compile(r"(?<=[او])ی$")  # of «گوی» and «ای», not of «زی»
_PERSONS = ("م", "یم", "ید", "ین", "ند", "ن")
# What questions hold as a verb rather than as the noun that it is too: «کند» as what someone does, not what is slow.
_RATHER = "کند کنه شوم دهم زند زنی باید نباید توانی برو بره بری برن ببری برین بدی بتونه نداری ندار نگذاری"
_RATHER_VERBS = frozenset(_RATHER.split())


def _conjugated(pasts: Iterable[str], present: str, roots: list[str], *, bare: bool) -> Iterator[str]:
    """Yield the forms of a verb, prefixes joined; those that may be those of nouns too, as «بسته», if `bare`."""
    if bare:
        nominal = ("", "ن", "ه", "هام", "های", "هاست", "هایم", "هاید", "هاند")  # infinitive and participle are nouns
        yield from (past + ending for past in pasts for ending in nominal)
        yield from (_prefixed("ن", past) + ending for past in pasts for ending in ("ن", "ه"))
    yield from (
        form for form in _finite(pasts, present, roots, bare=bare) if form in _RATHER_VERBS or not is_noun(form)
    )


def _finite(pasts: Iterable[str], present: str, roots: list[str], *, bare: bool) -> Iterator[str]:
    endings = ("", *_PERSONS, "ی", "د", "ه")
    if bare:
        yield from (past + ending for past in pasts for ending in _PERSONS)
        yield from (present + ending for ending in endings[1:])
    for root in roots:
        yield from (prefix + root + ending for prefix in ("می", "نمی") for ending in endings)
        if bare:
            yield from (_prefixed("ن", root) + ending for ending in endings)
        yield from (_prefixed("ب", root) + ending for ending in (endings if bare else _PERSONS))


def _prefixed(prefix: str, root: str) -> str:
    return f"{prefix}ی{root}" if root.startswith("ا") else prefix + root
