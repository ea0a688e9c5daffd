"""Seeded generators of the ways in which people write Persian, each at three strengths.

Every generator takes a question in standard spelling and a random generator, and returns the same question as somebody
else would have typed it. The same seed gives the same text. They know nothing of the analyser that they measure.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from typing import Literal

Strength = Literal["light", "medium", "strong"]
Way = Callable[[str, random.Random, Strength], str]

HALF_SPACE = "\u200c"
_CONSONANTS = "بپتثجچحخدذرزژسشصضطظعغفقکگلمن"


def clean(text: str, rng: random.Random, strength: Strength) -> str:
    """Leave the question as it is."""
    return text


def arabic_letters(text: str, rng: random.Random, strength: Strength) -> str:
    """Type on an Arabic keyboard.

    light: each ی and ک with probability one half; medium: all of them; strong: ة for a final ه, Arabic digits and some
    diacritics too.
    """
    share = 0.5 if strength == "light" else 1.0
    typed = "".join({"ی": "ي", "ک": "ك"}[char] if char in "یک" and rng.random() < share else char for char in text)
    if strength == "strong":
        typed = re.sub(r"ه\b", "ة", typed).translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩"))
        typed = "".join(
            char + rng.choice("\u064e\u064f\u0650") * (char in _CONSONANTS and rng.random() < 0.15) for char in typed
        )
    return typed


def half_spaces(text: str, rng: random.Random, strength: Strength) -> str:
    """Miss or misplace half-spaces.

    light: one in two becomes a space or nothing; medium: each does; strong: besides, one space in eight is left out and
    one in eight becomes a half-space.
    """
    share = 0.5 if strength == "light" else 1.0
    typed = "".join(rng.choice((" ", "")) if char == HALF_SPACE and rng.random() < share else char for char in text)
    if strength == "strong":
        typed = "".join(rng.choices((char, "", HALF_SPACE), (6, 1, 1))[0] if char == " " else char for char in typed)
    return typed


_NEIGHBOURS = {
    char: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in ("ضصثقفغعهخحجچ", "شسیبلاتنمکگ", "ظطزرذدپو")
    for place, char in enumerate(row)
}
_HOMOPHONES = {char: group.replace(char, "") for group in ("زذضظ", "سصث", "تط", "حه", "غق", "عا") for char in group}
_TYPOS = {"light": 1, "medium": 2, "strong": 4}


def typos(text: str, rng: random.Random, strength: Strength) -> str:
    """Mistype 1, 2 or 4 times, in words of four letters or more, no word twice while others are left.

    A slip leaves a letter out, doubles it, swaps it with the next, hits the key beside it, or takes another letter of
    the same sound.
    """
    words = text.split(" ")
    places = [place for place, word in enumerate(words) if sum(map(str.isalpha, word)) >= 4]
    rng.shuffle(places)
    for place in (places * 4)[: _TYPOS[strength]]:
        words[place] = _slip(words[place], rng)
    return " ".join(words)


def _slip(word: str, rng: random.Random) -> str:
    letters = [place for place, char in enumerate(word) if char.isalpha()]
    at = rng.choice(letters)
    char = word[at]
    kinds = ["omit", "double", "neighbour"] + ["homophone"] * (char in _HOMOPHONES)
    kinds += ["swap"] * (at + 1 < len(word) and word[at + 1].isalpha() and word[at + 1] != char)
    kind = rng.choice(kinds)
    if kind == "swap":
        return word[:at] + word[at + 1] + char + word[at + 2 :]
    if kind == "omit":
        return word[:at] + word[at + 1 :]
    if kind == "double":
        return word[:at] + char + word[at:]
    instead = (_HOMOPHONES if kind == "homophone" else _NEIGHBOURS).get(char, char)
    return word[:at] + rng.choice(instead) + word[at + 1 :]


# Spoken forms, in the order they apply; «-» stands for a half-space or a space in the standard form.
_SPOKEN: tuple[tuple[str, str], ...] = (
    (r"چه چیزهایی", "چیا"),
    (r"چه چیزی", "چی"),
    (r"چه (?:کسی|شخصی)", "کی"),
    (r"چه (?:زمانی|وقت|موقع)", "کی"),
    (r"به چه (?:دلیل|علت)(?:ی)?", "واسه چی"),
    (r"چیست", "چیه"),
    (r"کیست", "کیه"),
    (r"کجاست", "کجاس"),
    (r"چگونه", "چطوری"),
    (r"چقدر", "چقد"),
    (r"کدام", "کدوم"),
    (r"برای", "واسه"),
    (r"اگر", "اگه"),
    (r"دیگر", "دیگه"),
    (r"هنگامی که|زمانی که", "وقتی"),
    (r"آن", "اون"),
    (r"آن-?ها", "اونا"),
    (r"این-?ها", "اینا"),
    (r"یک", "یه"),
    (r"خانه", "خونه"),
    (r"می-?شود", "میشه"),
    (r"می-?شوند", "میشن"),
    (r"نمی-?شود", "نمیشه"),
    (r"می-?تواند", "میتونه"),
    (r"می-?توانند", "میتونن"),
    (r"می-?توان", "میشه"),
    (r"می-?گوید", "میگه"),
    (r"می-?گویند", "میگن"),
    (r"می-?رود", "میره"),
    (r"می-?روند", "میرن"),
    (r"می-?آید", "میاد"),
    (r"می-?آیند", "میان"),
    (r"می-?دهد", "میده"),
    (r"می-?دهند", "میدن"),
    (r"می-?خواهد", "میخواد"),
    (r"می-?خواهند", "میخوان"),
    (r"می-(\w{2,})ند", r"می\1ن"),
    (r"می-(\w{2,})د", r"می\1ه"),
    (r"(\w{2,})ه-?است", r"\1ه"),
    (r"(\w{2,}[^\Wاویه]) است", r"\1ه"),
    (r"است", "هست"),
    (r"(?:می-?باشد|باشد)", "باشه"),
    (r"(?:هستند|می-?باشند)", "هستن"),
    (r"بودند", "بودن"),
    (r"کردند", "کردن"),
    (r"شدند", "شدن"),
    (r"داشتند", "داشتن"),
    (r"(\w+)-ها را", r"\1ا رو"),
    (r"(\w{2,}[^\Wاویه]) را", r"\1و"),
    (r"را", "رو"),
    (r"(\w{2,})-های", r"\1ای"),
    (r"(\w{2,})-ها", r"\1ا"),
    (r"(\w{2,}ه)-اند", r"\1ن"),
    (r"(\w{2,})-اش", r"\1ش"),
    (r"(\w{2,})شان", r"\1شون"),
    (r"(تهر|مید|خیاب|ج|ن|زب|زم|باز|بار|همزم|آسم|نش|آب|مهم|درم|زند|استخو|ایر)ان(ی?)", r"\1ون\2"),
)


def _rule(standard: str) -> re.Pattern[str]:
    """Return the pattern of a whole word or phrase in standard spelling."""
    gap = f"[{HALF_SPACE} ]"
    pattern = standard.replace("-?", f"{gap}?").replace("-", gap)
    return re.compile(rf"(?<![\w{HALF_SPACE}]){pattern}(?![\w{HALF_SPACE}])")


_SPOKEN_RULES = tuple((_rule(standard), spoken) for standard, spoken in _SPOKEN)
_SPOKEN_SHARE = {"light": 0.4, "medium": 0.8, "strong": 1.0}
_OPENINGS = ("سلام ", "ببخشید ", "سلام خسته نباشید ", "میشه بگین ", "یه سوال ", "کسی میدونه ", "لطفا بگید ")


def colloquial(text: str, rng: random.Random, strength: Strength) -> str:
    """Write as one speaks: verbs, «را», «است», plurals, possessives, «ان» as «ون», question words.

    light: 40 % of the places where a rule applies; medium: 80 %; strong: all, after a greeting or an opening phrase.
    """
    for pattern, spoken in _SPOKEN_RULES:

        def speak(match: re.Match[str], spoken: str = spoken) -> str:
            return match.expand(spoken) if rng.random() < _SPOKEN_SHARE[strength] else match.group()

        text = pattern.sub(speak, text)
    return rng.choice(_OPENINGS) + text if strength == "strong" else text


_LATIN: dict[str, tuple[str, ...]] = {
    "آ": ("a", "aa"), "ب": ("b",), "پ": ("p",), "ت": ("t",), "ث": ("s",), "ج": ("j",), "چ": ("ch",), "ح": ("h",),
    "خ": ("kh", "x"), "د": ("d",), "ذ": ("z",), "ر": ("r",), "ز": ("z",), "ژ": ("zh", "j"), "س": ("s",), "ش": ("sh",),
    "ص": ("s",), "ض": ("z",), "ط": ("t",), "ظ": ("z",), "ع": ("a", "e", ""), "غ": ("gh", "q"), "ف": ("f",),
    "ق": ("gh", "q"), "ک": ("k",), "گ": ("g",), "ل": ("l",), "م": ("m",), "ن": ("n",), "ه": ("h",), "ئ": ("", "y", "e"),
    "ء": ("",), "أ": ("a",), "ؤ": ("o",),
}  # fmt: skip
_VOWEL_LETTERS = "آاویئعأؤء"
_COMMON_LATIN = {
    "و": "va", "به": "be", "که": "ke", "را": "ro", "از": "az", "در": "dar", "با": "ba", "این": "in", "آن": "an",
    "چه": "che", "است": "ast", "برای": "baraye", "یک": "yek", "تا": "ta", "بر": "bar", "هر": "har", "کدام": "kodam",
    "چند": "chand", "چیست": "chist", "بود": "bud", "شد": "shod", "کرد": "kard", "کسی": "kasi",
}  # fmt: skip
_MISPLACED_VOWELS = {"light": 0.05, "medium": 0.15, "strong": 0.4}


def finglish(text: str, rng: random.Random, strength: Strength) -> str:
    """Write in Latin letters.

    Consonants as they sound, long vowels as a/aa, i/ee/y, u/oo/o, and between consonants the short vowels that standard
    spelling leaves out: which one is a guess, where they stand follows the syllables of Persian (CV, CVC, CVCC) but for
    5, 15 or 40 % of the places. light: one habit of spelling for the whole question (kh or x, gh or q, ...); medium: it
    changes from word to word; strong: besides, one typing slip.
    """
    seed = rng.random()
    written = ""
    for word in re.findall(rf"[^\W\d_]+|{HALF_SPACE}|.", _unmarked(text), re.DOTALL):
        habit = random.Random(seed) if strength == "light" else rng  # noqa: S311 - no secret
        if word == HALF_SPACE:
            written += habit.choice(("", " "))
        else:
            written += _COMMON_LATIN.get(word) or _latin(word, rng, habit, _MISPLACED_VOWELS[strength])
    written = written.translate(str.maketrans("؟،؛۰۱۲۳۴۵۶۷۸۹", "?,;0123456789"))
    return typos(written, rng, "light") if strength == "strong" else written


def _unmarked(text: str) -> str:
    """Return the text composed, without diacritics."""
    return "".join(char for char in unicodedata.normalize("NFC", text) if not unicodedata.combining(char))


def _latin(word: str, rng: random.Random, habit: random.Random, misplaced: float) -> str:
    """Return a word in Latin letters; a short vowel follows each consonant that opens a syllable."""
    written, opens = "", True
    for place, char in enumerate(word):
        if _is_vowel(word, place):
            written += habit.choice(_vowel(word, place))
            opens = True
            continue
        written += habit.choice(_LATIN.get(char, (char,)))
        if place + 1 < len(word) and not _is_vowel(word, place + 1):
            if opens != (rng.random() < misplaced):
                written += rng.choices("aeo", (5, 3, 2))[0]
            opens = not opens
    return written


def _is_vowel(word: str, place: int) -> bool:
    """Tell whether the letter may stand for a vowel: «ه» does at the end, but not after another vowel."""
    if word[place] in "هۀ":
        return 0 < place == len(word) - 1 and word[place - 1] not in "اآوی"
    return word[place] in _VOWEL_LETTERS


def _vowel(word: str, place: int) -> tuple[str, ...]:
    """Return the spellings of a letter that may stand for a vowel."""
    char, before, following = word[place], word[:place][-1:], word[place + 1 :][:1]
    if word[:place] == "ا" and char in "یو":
        return ("i", "ee") if char == "ی" else ("o", "u")
    beside_vowel = before in ("ا", "آ", "") or following in ("ا", "آ")
    if char == "و":
        return ("v", "w") if beside_vowel else ("u", "oo", "o")
    if char == "ی":
        return ("y", "i") if beside_vowel else ("i", "ee") if following else ("i", "ee", "y")
    if char == "ا":
        return ("", "") if not before and following in ("ی", "و") else ("a", "aa") if before else ("a", "e", "o")
    return ("e", "eh") if char in "هۀ" else _LATIN[char]


WAYS: dict[str, Way] = {
    "clean": clean,
    "arabic-letters": arabic_letters,
    "half-space": half_spaces,
    "typo": typos,
    "colloquial": colloquial,
    "finglish": finglish,
}
